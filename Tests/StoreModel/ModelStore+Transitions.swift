import JobModel

/// What changes one job: the table of states.
extension ModelStore {
  /// Whether a request with this attempt, or with none, may change the job.
  private func allows(_ attempt: Int?, _ job: Job, finishing: Bool = false) -> Bool {
    guard let attempt, fault != .fenceIgnored else { return !job.status.isFinished }
    guard job.attempt == attempt else { return false }
    // A holder whose lease ran out may still finish while nobody else has claimed the job.
    return job.status == .processing || finishing && job.status == .pending && ended(attempt, job) == .lost
  }

  private func ended(_ attempt: Int?, _ job: Job) -> AttemptCause? {
    job.history.last { $0.attempt == attempt }?.cause
  }

  private func refused(_ attempt: Int?, _ job: Job, isAlreadySo: Bool) -> Result<JobReply, JobError> {
    if isAlreadySo { return .success(.job(job.outline, changed: false)) }
    return .failure(JobError(attempt == nil ? .jobFinished : .staleClaim, "", job: job))
  }

  /// Ends the job's attempt; what it is then is the caller's to say. An attempt that was lost stays so, unless its
  /// holder turns up and says that it failed.
  private func ending(
    _ job: Job, _ cause: AttemptCause?, by attempt: Int? = nil, _ now: Timestamp
  ) -> Job {
    var job = job
    let isAmended = cause == .failed && attempt != nil && ended(attempt, job) == .lost
    if let cause, job.status == .processing || isAmended {
      job.history.removeAll { $0.attempt == job.attempt }
      job.history.append(
        AttemptRecord(
          attempt: job.attempt, worker: job.worker, startedAt: job.startedAt ?? now, endedAt: now,
          cause: cause,
          error: nil))
    }
    job.leaseExpiresAt = nil
    job.notBefore = nil
    job.updatedAt = now
    return job
  }

  private func finished(
    _ job: Job, _ status: JobStatus, _ cause: AttemptCause?, by attempt: Int? = nil, _ now: Timestamp
  ) -> Job {
    var job = ending(job, cause, by: attempt, now)
    job.status = status
    job.finishedAt = now
    return job
  }

  private func backInQueue(
    _ job: Job, _ cause: AttemptCause?, by attempt: Int? = nil, _ now: Timestamp
  ) -> Job {
    var job = ending(job, cause, by: attempt, now)
    job.status = .pending
    job.progress = 0
    job.stage = nil
    return job
  }

  private mutating func changed(to job: Job) -> Result<JobReply, JobError> {
    put(job)
    return .success(.job(job, changed: true))
  }

  mutating func complete(
    _ id: JobID, _ attempt: Int?, _ result: String?, _ now: Timestamp
  ) -> Result<JobReply, JobError> {
    guard let job = jobs[id] else { return .failure(.notFound(id)) }
    guard allows(attempt, job, finishing: true) else {
      let isSame = job.attempt == attempt && (result == nil || job.result == result)
      return refused(attempt, job, isAlreadySo: job.status == .complete && isSame)
    }
    var done = finished(job, .complete, nil, now)
    done.progress = 100
    done.result = result
    return changed(to: done)
  }

  mutating func fail(
    _ id: JobID, _ attempt: Int?, _ error: String, _ retryable: Bool, _ now: Timestamp
  ) -> Result<JobReply, JobError> {
    guard let job = jobs[id] else { return .failure(.notFound(id)) }
    guard allows(attempt, job, finishing: true) else {
      return refused(attempt, job, isAlreadySo: attempt != nil && ended(attempt, job) == .failed)
    }
    guard retryable, job.retryCount < job.maxRetries else {
      return changed(to: finished(job, .failed, .failed, by: attempt, now))
    }
    var again = backInQueue(job, .failed, by: attempt, now)
    again.retryCount += 1
    again.notBefore = now + .seconds(1)
    return changed(to: again)
  }

  mutating func release(
    _ id: JobID, _ attempt: Int?, _ delay: Duration, _ reason: String?, _ now: Timestamp
  ) -> Result<JobReply, JobError> {
    guard let job = jobs[id] else { return .failure(.notFound(id)) }
    guard job.status == .processing, allows(attempt, job) else {
      let isAlreadySo = attempt == nil ? job.status == .pending : ended(attempt, job) == .released
      return refused(attempt, job, isAlreadySo: isAlreadySo)
    }
    var back = backInQueue(job, .released, now)
    if delay > .zero { back.notBefore = now + delay }
    return changed(to: back)
  }

  mutating func lose(_ claim: ClaimToken, _ now: Timestamp) -> Result<JobReply, JobError> {
    guard let job = jobs[claim.id] else { return .failure(.notFound(claim.id)) }
    guard job.status == .processing, allows(claim.attempt, job) else {
      return refused(claim.attempt, job, isAlreadySo: ended(claim.attempt, job) == .lost)
    }
    var next =
      job.lostCount < job.maxLost ? backInQueue(job, .lost, now) : finished(job, .failed, .lost, now)
    next.lostCount += 1
    return changed(to: next)
  }

  mutating func cancel(_ id: JobID, _ now: Timestamp) -> Result<JobReply, JobError> {
    guard let job = jobs[id] else { return .failure(.notFound(id)) }
    if job.status.isFinished { return .success(.job(job.outline, changed: false)) }
    return changed(to: finished(job, .cancelled, .cancelled, now))
  }

  mutating func retry(_ id: JobID, _ now: Timestamp) -> Result<JobReply, JobError> {
    guard let job = jobs[id] else { return .failure(.notFound(id)) }
    guard job.status == .failed || job.status == .cancelled else {
      return .failure(JobError(.invalidArgument, "", job: job))
    }
    if let holder = holder(ofUniqueKey: job.uniqueKey) {
      return .failure(JobError(.alreadyExists, "", job: holder))
    }
    var again = backInQueue(job, nil, now)
    again.retryCount = 0
    again.lostCount = 0
    again.finishedAt = nil
    return changed(to: again)
  }

  mutating func update(
    _ id: JobID, _ attempt: Int?, _ update: JobUpdate, _ now: Timestamp
  ) -> Result<JobReply, JobError> {
    guard var job = jobs[id] else { return .failure(.notFound(id)) }
    let status = update.status ?? job.status
    guard allows(attempt, job, finishing: status == .complete || status == .failed) else {
      let isAlreadySo =
        switch update.status {
        case .failed: attempt != nil && ended(attempt, job) == .failed
        case .pending: attempt == nil ? job.status == .pending : ended(attempt, job) == .released
        default: attempt == job.attempt && update.status == job.status && job.status.isFinished
        }
      return refused(attempt, job, isAlreadySo: isAlreadySo)
    }
    switch (job.status, status) {
    case (.pending, .processing):
      job = ending(job, nil, now)
      job.attempt += 1
      job.worker = nil
      job.startedAt = now
    case (.processing, .pending): job = backInQueue(job, .released, now)
    case (_, .complete): job = finished(job, .complete, nil, now)
    case (_, .failed): job = finished(job, .failed, .failed, by: attempt, now)
    case (_, .cancelled): job = finished(job, .cancelled, .cancelled, now)
    default: break
    }
    job.status = status
    if status == .complete { job.progress = 100 }
    apply(update, to: &job)
    job.retryCount = update.retryCount ?? job.retryCount
    job.updatedAt = now
    return changed(to: job)
  }

  /// Writes what a holder reported; the claim, when it is no longer valid.
  mutating func write(_ report: HolderReport) -> ClaimToken? {
    guard var job = jobs[report.claim.id], job.attempt == report.claim.attempt,
      job.status == .processing || fault == .finishedJobChanges
    else { return report.claim }
    apply(report.update, to: &job)
    job.leaseExpiresAt = report.leaseExpiresAt
    job.updatedAt = max(job.updatedAt, report.heardAt)
    put(job)
    return nil
  }

  mutating func reap(
    _ cutoff: Timestamp, _ type: String?, _ sparing: [JobID], _ limit: Int, _ now: Timestamp
  ) -> [Job] {
    let stale = jobs.values.filter {
      $0.status == .processing && $0.updatedAt < cutoff && (type ?? $0.type) == $0.type
        && !sparing.contains($0.id)
    }
    let oldest = stale.sorted { $0.sequence < $1.sequence }.prefix(limit)
    let failed = oldest.map { finished($0, .failed, .failed, now) }
    for job in failed { put(job) }
    return failed
  }

  private func apply(_ update: JobUpdate, to job: inout Job) {
    job.progress = update.progress ?? job.progress
    switch update.stage {
    case .keep: break
    case .clear: job.stage = nil
    case .set(let stage): job.stage = stage
    }
  }
}
