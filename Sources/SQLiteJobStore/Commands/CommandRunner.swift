import HashTreeCollections
import JobModel
import JobStore

/// Runs commands within a transaction that its caller begins and ends. An ordinary error comes back as a result;
/// what it throws ends the transaction.
struct CommandRunner {
  var statements: StatementCache
  let retryPolicy: RetryPolicy
  let random: @Sendable () -> Double
  /// What this transaction has changed so far.
  private(set) var changes: [QueueChange] = []
  /// As in `QueueIndex`, with what this transaction has changed.
  private(set) var candidateTypes: TreeSet<TypeName> = []

  init(statements: StatementCache, retryPolicy: RetryPolicy, random: @escaping @Sendable () -> Double) {
    self.statements = statements
    self.retryPolicy = retryPolicy
    self.random = random
  }

  /// A transaction begins.
  mutating func begin(candidateTypes: TreeSet<TypeName>) {
    changes.removeAll(keepingCapacity: true)
    self.candidateTypes = candidateTypes
  }

  /// Notes what the transaction has changed or found.
  mutating func record(_ change: QueueChange) {
    changes.append(change)
    change.apply(to: &candidateTypes)
  }

  /// Runs one command.
  mutating func run(
    _ command: JobCommand, at now: Timestamp
  ) throws(SQLiteError) -> Result<JobReply, JobError> {
    do {
      return try dispatch(command, at: now)
    } catch {
      guard error.isConstraint else { throw error }
      return .failure(
        ConstraintViolation.error(message: error.message) ?? JobError(.internal, error.description))
    }
  }

  private mutating func dispatch(
    _ command: JobCommand, at now: Timestamp
  ) throws(SQLiteError) -> Result<JobReply, JobError> {
    switch command {
    case .create(let jobs): return try create(jobs, at: now)
    case .claim(let types, let maxJobs, let lease, let worker):
      let jobs = try claim(types: types, maxJobs: maxJobs, lease: lease, worker: worker, at: now)
      return .success(.claimed(jobs))
    case .update(let id, let attempt, let update):
      let transition: Transition
      do { transition = try .update(id, attempt: attempt, update, at: now) } catch { return .failure(error) }
      return try perform(transition)
    case .report(let reports): return try report(reports)
    case .complete(let id, let attempt, let result):
      return try perform(.complete(id, attempt: attempt, result: result, at: now))
    case .fail(let id, let attempt, let error, let retryable):
      return try perform(
        .fail(
          id, attempt: attempt, error: error, retryable: retryable, at: now, policy: retryPolicy,
          random: random()))
    case .release(let id, let attempt, let delay, let reason):
      return try perform(.release(id, attempt: attempt, delay: delay, reason: reason, at: now))
    case .lose(let claim): return try perform(.lose(claim, at: now))
    case .cancel(let id): return try perform(.cancel(id, at: now))
    case .retry(let id): return try retry(id, at: now)
    case .delete(let id): return try delete(id)
    case .reap(let cutoff, let type, let sparing, let limit):
      return try reap(before: cutoff, type: type, sparing: sparing, limit: limit, at: now)
    case .promote: return try promote(at: now)
    case .pause(let type):
      if try statements.run(SQLStep(.pause, [.text(type)])) { record(.paused(TypeName(type))) }
      return .success(.done)
    case .resume(let type):
      if try statements.run(SQLStep(.resume, [.text(type)])) { record(.resumed(TypeName(type))) }
      return .success(.done)
    case .prune(let cutoff, let status, let type, let limit):
      return try prune(before: cutoff, status: status, type: type, limit: limit)
    case .snapshot(let selection, let limit): return try snapshot(selection, limit: limit)
    // The database has no other users.
    case .changes: return .success(.changes(StoreChanges()))
    }
  }

  /// A job without its metadata; nil when there is none.
  mutating func job(_ id: JobID) throws(SQLiteError) -> Job? {
    try statements(.jobByID).first([.id(id)]) { Job(row: $0, whole: false) }
  }
}

extension CommandRunner {
  /// Runs `body`, and undoes what it did when it fails.
  mutating func atomically(
    _ body: (inout CommandRunner) throws(SQLiteError) -> Result<JobReply, JobError>
  ) throws(SQLiteError) -> Result<JobReply, JobError> {
    let known = changes.count
    try statements(.savepoint).run()
    let outcome: Result<Result<JobReply, JobError>, SQLiteError>
    do { outcome = .success(try body(&self)) } catch { outcome = .failure(error) }
    switch outcome {
    case .success(.success): break
    // An error that ended the transaction has undone everything.
    case .failure(let error) where !statements.connection.isInTransaction: throw error
    case .success(.failure), .failure:
      changes.removeSubrange(known...)
      try statements(.rollbackToSavepoint).run()
    }
    try statements(.releaseSavepoint).run()
    return try outcome.get()
  }

  /// Changes one job.
  mutating func perform(_ transition: Transition) throws(SQLiteError) -> Result<JobReply, JobError> {
    guard let history = transition.history else { return try change(transition) }
    return try atomically { (runner) throws(SQLiteError) in
      _ = try runner.statements.run(history)
      return try runner.change(transition)
    }
  }

  private mutating func change(_ transition: Transition) throws(SQLiteError) -> Result<JobReply, JobError> {
    if try statements.run(transition.change) {
      if let amendment = transition.amendment { _ = try statements.run(amendment) }
      let job = try job(transition.id)
      if let job { record(.moved(QueueEntry(job))) }
      return transition.judge(changed: true, job: job, cause: nil)
    }
    let values: [SQLValue] = [.id(transition.id), .integer(transition.attempt)]
    let found = try statements(.jobWithCause).first(values) { row in
      (job: Job(row: row, whole: false), cause: AttemptCause(rawValue: row.text(JobColumns.briefCount)))
    }
    return transition.judge(changed: false, job: found?.job, cause: found?.cause)
  }

  private mutating func retry(_ id: JobID, at now: Timestamp) throws(SQLiteError) -> Result<
    JobReply, JobError
  > {
    let transition = Transition.retry(id, at: now)
    let before = try job(id)
    do {
      guard try statements.run(transition.change) else {
        return transition.judge(changed: false, job: before, cause: nil)
      }
    } catch {
      guard ConstraintViolation.isUniqueKey(message: error.message), let key = before?.uniqueKey else {
        throw error
      }
      let holder = try holder(ofUniqueKey: key)
      let message = "unique_key \(key) belongs to another unfinished job by now."
      return .failure(JobError(.alreadyExists, message, job: holder))
    }
    let after = try job(id)
    if let before, let after { record(.revived(QueueEntry(after), from: before.status)) }
    return transition.judge(changed: true, job: after, cause: nil)
  }

  private mutating func delete(_ id: JobID) throws(SQLiteError) -> Result<JobReply, JobError> {
    guard let job = try job(id) else { return .failure(.notFound(id)) }
    _ = try statements.run(SQLStep(.deleteJob, [.id(id)]))
    record(.removed(QueueEntry(job)))
    return .success(.deleted(job.outline))
  }
}
