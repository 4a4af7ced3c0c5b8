import JobModel
import JobStore

/// The steps of one command within a transaction, and how to tell from their results what it came to.
struct CommandPlan {
  typealias Judgement = @Sendable (TransactionOutcome) throws(JobError) -> JobReply

  /// Reads the reply, or throws the command's own error.
  let judge: Judgement
}

/// Turns commands into the steps of a transaction.
struct CommandPlanner {
  var transaction: Transaction
  let journal: JournalPage
  let now: Timestamp
  let retryPolicy: RetryPolicy
  let random: @Sendable () -> Double

  /// Adds the steps of a command, the `number`-th of its transaction.
  mutating func plan(_ command: JobCommand, number: Int) -> CommandPlan {
    switch command {
    case .create(let jobs): return create(jobs, number)
    case .claim(let types, let maxJobs, let lease, let worker):
      return claim(types, maxJobs, lease, worker, number)
    case .update(let id, let attempt, let update):
      do {
        return transition(try .update(id, attempt: attempt, update, at: now), number)
      } catch {
        return CommandPlan { (_) throws(JobError) in throw error }
      }
    case .report(let reports): return report(reports, number)
    case .complete(let id, let attempt, let result):
      return transition(.complete(id, attempt: attempt, result: result, at: now), number)
    case .fail(let id, let attempt, let error, let retryable):
      return transition(
        .fail(
          id, attempt: attempt, error: error, retryable: retryable, at: now, policy: retryPolicy,
          random: random()), number)
    case .release(let id, let attempt, let delay, let reason):
      return transition(.release(id, attempt: attempt, delay: delay, reason: reason, at: now), number)
    case .lose(let claim): return transition(.lose(claim, at: now), number)
    case .cancel(let id): return transition(.cancel(id, at: now), number)
    case .retry(let id): return retry(id, number)
    case .delete(let id): return delete(id, number)
    case .reap(let cutoff, let type, let sparing, let limit):
      return reap(cutoff, type, sparing, limit, number)
    case .promote: return promote(number)
    case .pause(let type): return switchType(.pause, type)
    case .resume(let type): return switchType(.resume, type)
    case .prune(let cutoff, let status, let type, let limit):
      return prune(cutoff, status, type, limit, number)
    case .snapshot(let selection, let limit): return snapshot(selection, limit)
    case .changes: return changes()
    }
  }

  // MARK: One job

  /// The steps of a transition: history, change, the note that there was one, amendment; then the job is read back.
  private mutating func transition(_ transition: Transition, _ command: Int) -> CommandPlan {
    let steps = add(transition, command)
    return CommandPlan { (outcome) throws(JobError) in
      try outcome.check(steps.changes)
      try outcome.checkFirstAnswer(command: command)
      return try steps.judge(outcome, transition, command).get()
    }
  }

  private struct TransitionSteps {
    let changes: [Int]
    let read: Int

    func judge(
      _ outcome: TransactionOutcome, _ transition: Transition, _ command: Int
    ) throws(JobError) -> Result<JobReply, JobError> {
      let row = try outcome.rows(read).first
      return transition.judge(
        changed: !outcome.changed(by: command).isEmpty, job: row.flatMap { Job(packedIn: $0, whole: false) },
        cause: row.flatMap { AttemptCause(rawValue: $0.text(1)) })
    }
  }

  private mutating func add(_ transition: Transition, _ command: Int) -> TransitionSteps {
    var changes: [Int] = []
    let record = transaction.values(of: transition.id, command: command)
    if let history = transition.history {
      // What the change would not have must not stay in the history either.
      let savepoint = transaction.change(SQLStep(.savepoint))
      let kept = transaction.change(history, after: savepoint)
      let change = transaction.change(transition.change, after: kept)
      let recorded = transaction.change(LibSQLStatement.recordChange, record, after: [change])
      changes = [savepoint, kept, change, recorded]
      if let amendment = transition.amendment {
        changes.append(transaction.change(amendment, after: recorded))
      }
      transaction.end(savepoint, unlessOK: [recorded])
    } else {
      let change = transaction.change(transition.change)
      changes = [change, transaction.change(LibSQLStatement.recordChange, record, after: [change])]
    }
    let read = transaction.read(
      LibSQLStatement.jobWithCause, [.id(transition.id), .integer(transition.attempt)])
    return TransitionSteps(changes: changes, read: read)
  }

  private mutating func retry(_ id: JobID, _ command: Int) -> CommandPlan {
    let transition = Transition.retry(id, at: now)
    let steps = add(transition, command)
    let holder = transaction.read(LibSQLStatement.keyHolder, [.id(id)])
    return CommandPlan { (outcome) throws(JobError) in
      let errors = steps.changes.lazy.compactMap { outcome.error($0) }
      if errors.contains(where: { ConstraintViolation.isUniqueKey(message: $0.message) }) {
        let job = try outcome.rows(holder).first.flatMap { Job(row: $0, whole: false) }
        let message = "unique_key \(job?.uniqueKey ?? "") belongs to another unfinished job by now"
        throw JobError(.alreadyExists, message, job: job)
      }
      try outcome.check(steps.changes)
      try outcome.checkFirstAnswer(command: command)
      return try steps.judge(outcome, transition, command).get()
    }
  }

  private mutating func delete(_ id: JobID, _ command: Int) -> CommandPlan {
    let steps = deleteChosen(LibSQLStatement.chooseJob, [.id(id)], command)
    return CommandPlan { (outcome) throws(JobError) in
      try outcome.check(steps.changes)
      try outcome.checkFirstAnswer(command: command)
      guard let job = try steps.deleted(outcome, command).first else { throw .notFound(id) }
      return .deleted(job)
    }
  }

  private mutating func switchType(_ statement: JobStatement, _ type: String) -> CommandPlan {
    let change = transaction.change(SQLStep(statement, [.text(type)]))
    return CommandPlan { (outcome) throws(JobError) in
      try outcome.check([change])
      return .done
    }
  }
}
