import JobProtocol

// The operations of the protocol. Each throws the broker's refusal as it came; and, when no answer came (the
// connection was lost for good, the time ran out, the calling task was cancelled):
//
// - UNAVAILABLE: nothing happened, or repeating the same call is safe (see `Operation.isRepeatable`);
// - UNKNOWN_OUTCOME: it may have happened, and repeating it could do it twice: read the job first.
extension JobBrokerClient {
  /// Asks for a sign of life.
  public nonisolated(nonsending) func ping() async throws(JobError) {
    guard case .pong = try await send(.ping) else { throw .unexpectedReply(to: "ping") }
  }

  /// Creates jobs: all of them or none. Repeating it is safe, for the jobs bring their ids.
  ///
  /// - Parameter jobs: 1–1,000.
  /// - Returns: one outcome a job, in the same order.
  /// - Throws: ALREADY_EXISTS when an id belongs to a job with other content.
  public nonisolated(nonsending) func create(_ jobs: [NewJob]) async throws(JobError) -> [CreatedJob] {
    guard case .created(let created) = try await send(.create(jobs)), created.count == jobs.count else {
      throw .unexpectedReply(to: "create")
    }
    return created
  }

  /// Creates one job. Repeating it is safe, for the job brings its id.
  ///
  /// - Throws: ALREADY_EXISTS when the id belongs to a job with other content.
  public nonisolated(nonsending) func create(_ job: NewJob) async throws(JobError) -> CreatedJob {
    try await create([job])[0]
  }

  /// One job, with its history; nil when there is none of that id.
  public nonisolated(nonsending) func get(_ id: JobID) async throws(JobError) -> Job? {
    do {
      return try await job(.get(id), "get")
    } catch  where error.code == .notFound {
      return nil
    }
  }

  /// Jobs, newest first.
  public nonisolated(nonsending) func list(_ filter: JobFilter = JobFilter()) async throws(JobError)
    -> JobPage
  {
    guard case .jobs(let page) = try await send(.list(filter)) else { throw .unexpectedReply(to: "list") }
    return page
  }

  /// Changes some fields of a job.
  ///
  /// - Parameter attempt: the claim under which it is done; nil for an operator or a webhook, who hold no claim.
  /// - Returns: the job as it is now, without metadata and result.
  /// - Throws: NOT_FOUND; STALE_CLAIM; JOB_FINISHED.
  @discardableResult
  public nonisolated(nonsending) func update(
    _ id: JobID, _ update: JobUpdate, attempt: Int? = nil
  ) async throws(JobError) -> Job {
    try await job(.update(id, attempt: attempt, update), "update")
  }

  /// Finishes a job with success.
  ///
  /// - Parameters:
  ///   - result: a JSON object.
  ///   - attempt: the claim under which it is done; nil for a webhook, which holds none.
  /// - Returns: the job as it is now, without metadata and result.
  /// - Throws: NOT_FOUND; STALE_CLAIM; JOB_FINISHED.
  @discardableResult
  public nonisolated(nonsending) func complete(
    _ id: JobID, result: String? = nil, attempt: Int? = nil
  ) async throws(JobError) -> Job {
    try await job(.complete(id, attempt: attempt, result: result), "complete")
  }

  /// Finishes a job without success.
  ///
  /// - Parameters:
  ///   - error: why, for a person.
  ///   - retryable: whether it may go back to the queue while it has retries left.
  ///   - attempt: the claim under which it is done; nil for an operator or a webhook.
  /// - Returns: the job as it is now, without metadata and result.
  /// - Throws: NOT_FOUND; STALE_CLAIM; JOB_FINISHED.
  @discardableResult
  public nonisolated(nonsending) func fail(
    _ id: JobID, error: String, retryable: Bool = false, attempt: Int? = nil
  ) async throws(JobError) -> Job {
    try await job(.fail(id, attempt: attempt, error: error, retryable: retryable), "fail")
  }

  /// Gives a job back unharmed: no retry is counted.
  ///
  /// - Parameters:
  ///   - delay: how long it is not to be claimed.
  ///   - attempt: the claim under which it is done; nil for an operator.
  /// - Returns: the job as it is now, without metadata and result.
  /// - Throws: NOT_FOUND; STALE_CLAIM; JOB_FINISHED.
  @discardableResult
  public nonisolated(nonsending) func release(
    _ id: JobID, delay: Duration = .zero, attempt: Int? = nil
  ) async throws(JobError) -> Job {
    try await job(.release(id, attempt: attempt, delay: delay), "release")
  }

  /// Calls a job off; its holder is told at once. A finished job stays as it is.
  ///
  /// - Returns: the job as it is now, without metadata and result.
  /// - Throws: NOT_FOUND.
  @discardableResult
  public nonisolated(nonsending) func cancel(_ id: JobID) async throws(JobError) -> Job {
    try await job(.cancel(id), "cancel")
  }

  /// Puts a failed or cancelled job back into the queue, with its retries renewed.
  ///
  /// - Returns: the job as it is now, without metadata and result.
  /// - Throws: NOT_FOUND; INVALID_ARGUMENT when it is neither failed nor cancelled.
  @discardableResult
  public nonisolated(nonsending) func retry(_ id: JobID) async throws(JobError) -> Job {
    try await job(.retry(id), "retry")
  }

  /// Removes a job. An operator's operation.
  ///
  /// - Throws: NOT_FOUND; PERMISSION_DENIED.
  public nonisolated(nonsending) func delete(_ id: JobID) async throws(JobError) {
    try await done(.delete(id), "delete")
  }

  /// Takes the next jobs, waiting for the first as long as the request says.
  ///
  /// While the broker drains or is away, the claim waits for its return (unless `reconnects` is off). A caller who
  /// is cancelled loses nothing: the claim is withdrawn, and a job that still comes is given back at once.
  ///
  /// Of a client's claims that wait, 112 do so at the broker at a time. More wait in line, which counts as part of their
  /// time; one that gets no further ends with UNAVAILABLE.
  ///
  /// - Returns: the jobs now held; none when the time ran out.
  public nonisolated(nonsending) func claim(
    _ request: ClaimRequest = ClaimRequest()
  ) async throws(JobError) -> [Job] {
    guard case .claimed(let jobs) = try await send(.claim(request)) else {
      throw .unexpectedReply(to: "claim")
    }
    return jobs
  }

  /// Fails the jobs that have been processing without a sign of life. An operator's operation.
  ///
  /// - Returns: how many.
  public nonisolated(nonsending) func reap(
    timeout: Duration, type: String? = nil
  ) async throws(JobError) -> Int {
    try await count(.reap(timeout: timeout, type: type), "reap")
  }

  /// The place of a job in the queue; `QueuePosition.none` when it is not pending, or unknown.
  public nonisolated(nonsending) func position(_ id: JobID) async throws(JobError) -> QueuePosition {
    guard case .position(let position) = try await send(.position(id)) else {
      throw .unexpectedReply(to: "position")
    }
    return position
  }

  /// The broker's counters.
  public nonisolated(nonsending) func stats() async throws(JobError) -> BrokerStats {
    guard case .stats(let stats) = try await send(.stats) else { throw .unexpectedReply(to: "stats") }
    return stats
  }

  /// Who is connected, waits for what and holds what.
  public nonisolated(nonsending) func workers() async throws(JobError) -> WorkerList {
    guard case .workers(let workers) = try await send(.workers) else { throw .unexpectedReply(to: "workers") }
    return workers
  }

  /// Stops claims of a type; its running jobs go on. An operator's operation.
  public nonisolated(nonsending) func pause(type: String) async throws(JobError) {
    try await done(.pause(type: type), "pause")
  }

  /// Allows claims of a type again. An operator's operation.
  public nonisolated(nonsending) func resume(type: String) async throws(JobError) {
    try await done(.resume(type: type), "resume")
  }

  /// Deletes finished jobs that finished at least `age` ago. An operator's operation.
  ///
  /// - Parameter status: one finished status; nil: all three.
  /// - Returns: how many.
  public nonisolated(nonsending) func prune(
    olderThan age: Duration, status: JobStatus? = nil, type: String? = nil
  ) async throws(JobError) -> Int {
    try await count(.prune(olderThan: age, status: status, type: type), "prune")
  }

  /// Writes a consistent copy of the store to a new file on the broker's host. An operator's operation.
  public nonisolated(nonsending) func backup(to path: String) async throws(JobError) {
    try await done(.backup(path: path), "backup")
  }

  private nonisolated(nonsending) func job(_ operation: Operation, _ name: String) async throws(JobError)
    -> Job
  {
    guard case .job(let job) = try await send(operation) else { throw .unexpectedReply(to: name) }
    return job
  }

  private nonisolated(nonsending) func done(_ operation: Operation, _ name: String) async throws(JobError) {
    guard case .done = try await send(operation) else { throw .unexpectedReply(to: name) }
  }

  private nonisolated(nonsending) func count(_ operation: Operation, _ name: String) async throws(JobError)
    -> Int
  {
    guard case .count(let count) = try await send(operation) else { throw .unexpectedReply(to: name) }
    return count
  }
}

extension JobError {
  static func unexpectedReply(to operation: String) -> JobError {
    JobError(.internal, "The broker answered \(operation) with a reply of another kind.")
  }
}
