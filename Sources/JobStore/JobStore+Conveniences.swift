import JobModel

/// Single operations, durable when they return, under the names of the store that JobBroker grew out of.
extension JobStore {
  /// Creates a job; a repeated create and a `uniqueKey` in use return the job that was there. Without its metadata.
  @discardableResult
  public func create(_ job: NewJob) async throws(JobError) -> Job {
    guard case .created(let entries) = try await commit(.create([job])), let entry = entries.first else {
      throw .unexpectedReply
    }
    return entry.job
  }

  /// Changes some fields; returns the job, without its metadata.
  @discardableResult
  public func update(
    _ id: JobID, attempt: Int? = nil, _ update: JobUpdate
  ) async throws(JobError) -> Job {
    try await change(.update(id, attempt: attempt, update))
  }

  /// Finishes with success.
  @discardableResult
  public func complete(
    _ id: JobID, attempt: Int? = nil, result: String? = nil
  ) async throws(JobError) -> Job {
    try await change(.complete(id, attempt: attempt, result: result))
  }

  /// Finishes without success.
  @discardableResult
  public func fail(
    _ id: JobID, attempt: Int? = nil, error: String, retryable: Bool = false
  ) async throws(JobError) -> Job {
    try await change(.fail(id, attempt: attempt, error: error, retryable: retryable))
  }

  /// Calls a job off; a finished one stays as it is.
  @discardableResult
  public func cancel(_ id: JobID) async throws(JobError) -> Job {
    try await change(.cancel(id))
  }

  /// Jobs, newest first.
  public func list(
    status: JobStatus? = nil, type: String? = nil, limit: Int = JobFilter.defaultLimit
  ) async throws(JobError) -> [Job] {
    try await list(JobFilter(status: status, type: type, limit: limit)).jobs
  }

  /// Takes the next job of one type, or of any; nil when there is none.
  public func claimNextPending(
    type: String? = nil, worker: WorkerIdentity = WorkerIdentity(name: "", pid: 0, uid: 0),
    lease: Duration = ClaimRequest.defaultLease
  ) async throws(JobError) -> Job? {
    let claim = JobCommand.claim(types: type.map { [$0] } ?? [], maxJobs: 1, lease: lease, worker: worker)
    guard case .claimed(let jobs)? = try await commit([.promote, claim]).last?.get() else {
      throw .unexpectedReply
    }
    return jobs.first
  }

  /// Fails the jobs that have been processing without a sign of life for `timeout`; returns how many it was.
  public func markStaleJobsFailed(
    timeout: Duration, type: String? = nil, now: Timestamp = .now
  ) async throws(JobError) -> Int {
    let atOnce = 500
    let reap = JobCommand.reap(before: now - timeout, type: type, sparing: [], limit: atOnce)
    var count = 0
    while true {
      guard case .reaped(let jobs) = try await commit(reap) else { throw .unexpectedReply }
      count += jobs.count
      if !ReapBound.isReached(by: jobs, limit: atOnce) { return count }
    }
  }

  /// The 0-based place among all pending jobs; −1 when the job is not pending, or unknown.
  public func getQueuePosition(_ id: JobID) async throws(JobError) -> Int {
    try await position(id).overall
  }

  /// Runs one command as a durable transaction of its own.
  @discardableResult
  public func commit(_ command: JobCommand) async throws(JobError) -> JobReply {
    guard let result = try await commit([command]).first else { throw .unexpectedReply }
    return try result.get()
  }

  private func change(_ command: JobCommand) async throws(JobError) -> Job {
    guard case .job(let job, _) = try await commit(command) else { throw .unexpectedReply }
    return job
  }
}

extension JobError {
  fileprivate static let unexpectedReply = JobError(.internal, "The store gave a reply of another kind.")
}
