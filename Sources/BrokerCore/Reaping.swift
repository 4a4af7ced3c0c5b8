import JobModel

/// What is kept from the store for a moment.
enum HeldBack: Sendable {
  case reap(timeout: Duration, type: String?, RequestKey, askedAt: Moment)
  case submission(Submission)
}

/// A reap goes by the wall clock, which may have been set since a job was last heard from. Whom it must spare for that
/// is known here, by the steady clock, except for jobs that a claim at the store has just taken. So it waits for those
/// claims, and all that is submitted after it waits behind it, in its order: for one transaction, and only then. It
/// still goes by the moment it was asked for: nobody grows older by waiting with it.
extension BrokerCore {
  mutating func reap(_ timeout: Duration, _ type: String?, _ key: RequestKey, _ now: Moment) {
    flushReports()
    heldBack.append(.reap(timeout: timeout, type: type, key, askedAt: now))
    passHeldBack()
  }

  /// The result of a claim is known.
  mutating func claimReturned() {
    claimsAtStore -= 1
    if !heldBack.isEmpty { passHeldBack() }
  }

  mutating func pass(_ submission: Submission) {
    if case .claim = submission.purpose { claimsAtStore += 1 }
    actions.append(.submit(submission))
  }

  /// Lets go of what is held back, up to the first reap that has to wait.
  private mutating func passHeldBack() {
    var passed = 0
    loop: for held in heldBack {
      switch held {
      case .submission(let submission): pass(submission)
      case .reap where claimsAtStore > 0: break loop
      case .reap(let timeout, let type, let key, let asked):
        let command = JobCommand.reap(
          before: asked.wall.reachedBack(by: timeout), type: type,
          sparing: leases.heard(since: asked.steady - timeout))
        pass(Submission(command: command, isVolatile: false, purpose: .request(key, isFenced: false)))
      }
      passed += 1
    }
    heldBack.removeFirst(passed)
  }
}
