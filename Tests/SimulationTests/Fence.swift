import JobModel
import StoreModel

/// Which changes a command is entitled to.
struct Fence {
  private let command: JobCommand
  /// The attempt that the command names.
  let attempt: Int?

  init(_ command: JobCommand) {
    self.command = command
    attempt =
      switch command {
      case .update(_, let attempt, _), .complete(_, let attempt, _), .fail(_, let attempt, _, _),
        .release(_, let attempt, _, _):
        attempt
      case .lose(let claim): claim.attempt
      default: nil
      }
  }

  /// What is wrong with a change that the command made; nil when nothing is.
  func rule(brokenBy change: ModelStore.Change) -> String? {
    guard let before = change.before else {
      if case .create = command { return change.after?.status == .pending ? nil : "a new job is not pending" }
      return "a job came from nowhere"
    }
    guard let after = change.after else {
      switch command {
      case .delete: return nil
      case .prune: return before.status.isFinished ? nil : "an unfinished job was pruned"
      default: return "a job disappeared"
      }
    }
    if after.attempt < before.attempt { return "an attempt was taken back" }
    if before.status.isFinished {
      guard case .retry = command, after.status == .pending, before.status != .complete else {
        return "a finished job changed"
      }
      return nil
    }
    if after.attempt != before.attempt, !startsAttempt { return "an attempt began without a claim" }
    if case .report(let reports) = command {
      let isHolder = reports.contains { $0.claim == before.claim } && before.status == .processing
      return isHolder ? nil : "somebody who does not hold the job reported"
    }
    guard let attempt else { return nil }
    let wasLost = before.history.last { $0.attempt == attempt }?.cause == .lost
    let isLate = before.status == .pending && wasLost && after.status != .processing
    let isHolder = before.attempt == attempt && (before.status == .processing || isLate)
    return isHolder ? nil : "somebody who does not hold the job changed it"
  }

  private var startsAttempt: Bool {
    switch command {
    case .claim: true
    case .update(_, _, let update): update.status == .processing
    default: false
    }
  }
}
