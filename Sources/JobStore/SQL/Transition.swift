import JobModel

/// A command about one job, as SQL and as a judgement.
///
/// A store runs `history` (if any), `change` and `amendment` (if any), then reads the job back (`JobStatement.jobByID`, or `jobWithCause`
/// when nothing changed) and asks `judge` what happened. None of the statements depends on what an earlier one came
/// to, so they can travel in one batch.
public struct Transition: Sendable {
  /// The job.
  public let id: JobID
  /// The attempt it is fenced by; nil: unfenced.
  public let attempt: Int?
  /// Records the attempt that `change` ends.
  public let history: SQLStep?
  /// The guarded change.
  public let change: SQLStep
  /// Corrects the history when `change` was made by the holder of a lost job.
  public let amendment: SQLStep?
  private let goal: Goal

  /// What the command wants to be true.
  private enum Goal: Equatable {
    case updated(to: JobStatus?)
    case finished(JobStatus)
    case completed(result: String?)
    case released
    case lost
    case retried
  }

  private init(
    _ goal: Goal, _ id: JobID, _ attempt: Int?, at now: Timestamp, change: JobStatement,
    values: [SQLValue] = [], cause: AttemptCause? = nil, error: String? = nil
  ) {
    self.id = id
    self.attempt = attempt
    self.goal = goal
    let common: [SQLValue] = [.id(id), .integer(attempt), .time(now)]
    self.change = SQLStep(change, common + values)
    history = cause.map { SQLStep(.recordAttempt, common + [.text($0.rawValue), .text(error)]) }
    amendment = cause == .failed && attempt != nil ? SQLStep(.amendAttempt, common + [.text(error)]) : nil
  }

  /// What happened.
  ///
  /// - Parameters:
  ///   - changed: whether `change` changed a row.
  ///   - job: the job as it is now; nil when there is none.
  ///   - cause: why the attempt that the command names ended, when that is in the history.
  public func judge(changed: Bool, job: Job?, cause: AttemptCause?) -> Result<JobReply, JobError> {
    guard let job else { return .failure(.notFound(id)) }
    if changed { return .success(.job(job, changed: true)) }
    if isSoAlready(job, cause) { return .success(.job(job.outline, changed: false)) }
    let state = "job \(id) is \(job.status.rawValue)"
    if goal == .retried {
      let message = "Only a failed or cancelled job can be retried; \(state)."
      return .failure(JobError(.invalidArgument, message, job: job.outline))
    }
    if let attempt {
      let message = "Attempt \(attempt) no longer holds the job: \(state), attempt \(job.attempt)."
      return .failure(JobError(.staleClaim, message, job: job.outline))
    }
    return .failure(JobError(.jobFinished, "Too late: \(state).", job: job.outline))
  }

  /// Whether the command asks for what it, or one with the same aim, has brought about already. A finished attempt
  /// is told by the fence; one that put the job back into the queue only by its place in the history.
  private func isSoAlready(_ job: Job, _ cause: AttemptCause?) -> Bool {
    switch goal {
    case .finished(.cancelled): job.status.isFinished
    case .finished(.failed), .updated(to: .failed): cause == .failed
    case .released, .updated(to: .pending): cause == .released || attempt == nil && job.status == .pending
    case .lost: cause == .lost
    case .completed(let result):
      // Another result is another's: a webhook may have completed it under this attempt.
      job.status == .complete && job.attempt == attempt && (result == nil || job.result.hasBytes(of: result))
    case .finished(let status), .updated(to: let status?):
      status.isFinished && job.status == status && job.attempt == attempt
    case .updated(to: nil), .retried: false
    }
  }
}

extension Transition {
  /// `JobCommand.update`.
  ///
  /// - Throws: INVALID_ARGUMENT for a progress that is not between 0 and 100 (SQL would take NaN for NULL).
  public static func update(
    _ id: JobID, attempt: Int?, _ update: JobUpdate, at now: Timestamp
  ) throws(JobError) -> Transition {
    if let progress = update.progress, !(0...100).contains(progress) {
      throw JobError(.invalidArgument, "progress must be between 0 and 100.")
    }
    let cause: AttemptCause? =
      switch update.status {
      case .pending: .released
      case .failed: .failed
      case .cancelled: .cancelled
      case .processing, .complete, nil: nil
      }
    let values: [SQLValue] = [
      .text(update.status?.rawValue), update.progress.map { .real($0) } ?? .null,
      .flag(update.stage != .keep), update.stage.value, .text(update.result), .text(update.error),
      .integer(update.retryCount),
    ]
    return Transition(
      .updated(to: update.status), id, attempt, at: now, change: .update, values: values, cause: cause,
      error: update.error)
  }

  /// `JobCommand.complete`.
  public static func complete(_ id: JobID, attempt: Int?, result: String?, at now: Timestamp) -> Transition {
    Transition(.completed(result: result), id, attempt, at: now, change: .complete, values: [.text(result)])
  }

  /// `JobCommand.fail`.
  ///
  /// - Parameter random: uniform in 0..<1; spreads the retries.
  public static func fail(
    _ id: JobID, attempt: Int?, error: String, retryable: Bool, at now: Timestamp, policy: RetryPolicy,
    random: Double
  ) -> Transition {
    let values: [SQLValue] = [
      .text(error), .flag(retryable), .integer(policy.base.milliseconds), .integer(policy.cap.milliseconds),
      .real(RetryPolicy.share(random: random)),
    ]
    return Transition(
      .finished(.failed), id, attempt, at: now, change: .fail, values: values, cause: .failed, error: error)
  }

  /// `JobCommand.release`.
  public static func release(
    _ id: JobID, attempt: Int?, delay: Duration, reason: String?, at now: Timestamp
  ) -> Transition {
    let notBefore = delay > .zero ? SQLValue.time(now + delay) : .null
    return Transition(
      .released, id, attempt, at: now, change: .release, values: [notBefore], cause: .released, error: reason)
  }

  /// `JobCommand.lose`.
  public static func lose(_ claim: ClaimToken, at now: Timestamp) -> Transition {
    Transition(.lost, claim.id, claim.attempt, at: now, change: .lose, cause: .lost)
  }

  /// `JobCommand.cancel`.
  public static func cancel(_ id: JobID, at now: Timestamp) -> Transition {
    Transition(.finished(.cancelled), id, nil, at: now, change: .cancel, cause: .cancelled)
  }

  /// `JobCommand.retry`.
  public static func retry(_ id: JobID, at now: Timestamp) -> Transition {
    Transition(.retried, id, nil, at: now, change: .retry)
  }

  /// One job of a `JobCommand.reap`: fails the claim if it was last heard from before `cutoff`.
  public static func reap(_ claim: ClaimToken, before cutoff: Timestamp, at now: Timestamp) -> Transition {
    Transition(
      .finished(.failed), claim.id, claim.attempt, at: now, change: .reap,
      values: [.time(cutoff), .text(reapedError)], cause: .failed, error: reapedError)
  }

  /// The error of a reaped job; the wording is the original store's.
  public static let reapedError = "Timeout: job exceeded processing time limit"
}

extension JobUpdate.Change {
  /// The new text; NULL when it is cleared or kept.
  public var value: SQLValue {
    if case .set(let text) = self { .text(text) } else { .null }
  }
}
