import JobModel

/// A reap on its way: it is done part by part, so that others get their turn between.
struct Reap: Sendable {
  var timeout: Duration
  var type: String?
  var key: RequestKey
  var askedAt: Moment
  /// How many jobs the parts so far have failed.
  var count = 0
}

/// What is kept from the store for a moment.
enum HeldBack: Sendable {
  case reap(Reap)
  case submission(Submission)
}

/// A reap goes by the wall clock, which may have been set since a job was last heard from. Whom it must spare for that
/// is known here, by the steady clock, except for jobs that a claim at the store has just taken. So each part of it
/// waits for those claims, and all that is submitted after it waits behind it, in its order: for one transaction, and
/// only then. It still goes by the moment it was asked for: nobody grows older by waiting with it, and who is heard
/// from meanwhile is spared.
extension BrokerCore {
  mutating func reap(_ reap: Reap) {
    flushReports()
    heldBack.append(.reap(reap))
    passHeldBack()
  }

  /// A part is done. One that went as far as it may is followed by another.
  mutating func didReap(_ jobs: [Job], _ reap: Reap, _ now: Moment) {
    for job in jobs { changed(job, now) }
    var next = reap
    next.count += jobs.count
    guard ReapBound.isReached(by: jobs, limit: configuration.sweepBatch) else {
      return respond(reap.key, .count(next.count))
    }
    if isDraining { return refuse(reap.key, BrokerCore.draining) }
    self.reap(next)
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
      case .reap(let reap):
        let (asked, timeout) = (reap.askedAt, reap.timeout)
        let command = JobCommand.reap(
          before: asked.wall.reachedBack(by: timeout), type: reap.type,
          sparing: leases.heard(since: asked.steady - timeout), limit: configuration.sweepBatch)
        pass(Submission(command: command, isVolatile: false, purpose: .reap(reap)))
      }
      passed += 1
    }
    heldBack.removeFirst(passed)
  }
}
