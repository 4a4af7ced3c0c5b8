import JobModel
import NIOCore
import Synchronization

/// A claim that the client keeps alive for a worker.
final class HeldClaim: Sendable {
  let token: ClaimToken
  private let over = Atomic(false)
  private let onceTold = Mutex<[@Sendable (JobError?) -> Void]>([])

  init(_ token: ClaimToken) {
    self.token = token
  }

  /// Whether the job was taken away.
  var isOver: Bool { over.load(ordering: .acquiring) }

  func end() {
    over.store(true, ordering: .releasing)
  }

  /// Does something once it is settled whether the broker knows how the job ended.
  func onceTold(_ action: @escaping @Sendable (JobError?) -> Void) {
    onceTold.withLock { $0.append(action) }
  }

  /// It is settled whether the broker knows how the job ended.
  ///
  /// - Parameter refusal: why it does not; nil when it does.
  func told(_ refusal: JobError?) {
    // Let go of, for they may hold this claim.
    let actions = onceTold.withLock { actions in
      defer { actions = [] }
      return actions
    }
    for action in actions { action(refusal) }
  }
}

/// Keeps claims alive: heartbeats, reports, and the news that a claim is no longer valid. Lives on the session's
/// loop, so a handler that keeps its thread busy still has its job kept.
final class ClaimKeeper {
  /// A claim in force.
  private struct Hold {
    var claim: HeldClaim
    /// A third of the lease: two heartbeats may be lost.
    let interval: Duration
    /// Reported and not sent yet; later reports are merged into it.
    var report = JobUpdate()
    /// Sent and not answered yet.
    var underway: JobUpdate?
    var timer: Scheduled<Void>?
  }

  /// Notices that came before anybody asked for them are kept for the caller that is about to, until the claim is
  /// dropped: a notice can overtake the claim's own reply on its way to the claimer's task, or come before the
  /// task that listens begins.
  private static let unheardLimit = 2 * Limits.claimBatch

  private unowned let session: Session
  private var holds: [ClaimToken: Hold] = [:]
  private var listeners: [ClaimToken: [UInt64: AsyncStream<Revocation>.Continuation]] = [:]
  private var unheard = CircularBuffer<Revocation>()
  private var hasEnded = false

  init(session: Session) {
    self.session = session
  }

  // MARK: Holding

  /// Heartbeats a claim until it is dropped or revoked.
  func hold(_ claim: HeldClaim, lease: Duration) {
    guard !hasEnded, !unheard.contains(where: { $0.claim == claim.token }) else { return claim.end() }
    if holds[claim.token] != nil {
      holds[claim.token]?.claim = claim
    } else {
      holds[claim.token] = Hold(claim: claim, interval: lease / 3)
      scheduleHeartbeat(claim.token)
    }
  }

  /// Holds the jobs that a claim was answered with, if it was one, for those who are about to.
  func holdJobs(of operation: JobModel.Operation, _ reply: Reply) {
    guard case .claim(let claim) = operation, case .claimed(let jobs) = reply else { return }
    for job in jobs { hold(HeldClaim(job.claim), lease: claim.lease) }
  }

  /// Leaves a claim alone from now on.
  func drop(_ token: ClaimToken) {
    holds.removeValue(forKey: token)?.timer?.cancel()
    unheard.removeAll { $0.claim == token }
  }

  /// Sends a report, or merges it into the one that waits for the last one's answer.
  func report(_ update: JobUpdate, of token: ClaimToken) {
    guard let hold = holds[token] else { return }
    holds[token]?.report = hold.report.followed(by: update)
    if hold.underway == nil { send(token) }
  }

  /// Heartbeats every claim at once.
  func renewAll() {
    for (token, hold) in holds where hold.underway == nil { send(token) }
  }

  private func scheduleHeartbeat(_ token: ClaimToken) {
    guard let hold = holds[token] else { return }
    holds[token]?.timer = session.after(hold.interval) {
      guard let hold = self.holds[token] else { return }
      if hold.underway == nil { self.send(token) }
      self.scheduleHeartbeat(token)
    }
  }

  private func send(_ token: ClaimToken) {
    guard let hold = holds[token] else { return }
    holds[token]?.underway = hold.report
    holds[token]?.report = JobUpdate()
    // Not repeated: the next connection begins with a heartbeat of its own, that carries the report.
    session.submit(
      session.shared.newID(), .update(token.id, attempt: token.attempt, hold.report),
      for: .action { reply in self.answered(token, reply) }, isRepeated: false)
  }

  private func answered(_ token: ClaimToken, _ reply: Reply) {
    guard let hold = holds[token], let sent = hold.underway else { return }
    holds[token]?.underway = nil
    guard case .error(let error) = reply else {
      if hold.report != JobUpdate() { send(token) }
      return
    }
    switch error.code {
    case .staleClaim, .jobFinished, .notFound:
      revoke(Revocation(claim: token, status: error.job?.status, reason: error.message))
    case .invalidArgument, .unsupported, .permissionDenied:
      session.logger.warning("report refused", metadata: ["job": "\(token.id)", "error": "\(error)"])
    default:
      // It goes with the next heartbeat.
      holds[token]?.report = sent.followed(by: hold.report)
    }
  }

  // MARK: Revocations

  /// A claim is no longer valid: tells whoever wants to know.
  func revoke(_ revocation: Revocation) {
    let token = revocation.claim
    holds[token]?.claim.end()
    drop(token)
    guard let interested = listeners.removeValue(forKey: token) else {
      if unheard.count == Self.unheardLimit { unheard.removeFirst() }
      return unheard.append(revocation)
    }
    for listener in interested.values {
      listener.yield(revocation)
      listener.finish()
    }
  }

  /// Tells a listener when a claim is revoked.
  func listen(_ id: UInt64, to token: ClaimToken, _ listener: AsyncStream<Revocation>.Continuation) {
    if let revocation = unheard.first(where: { $0.claim == token }) {
      listener.yield(revocation)
      listener.finish()
    } else if hasEnded {
      listener.finish()
    } else {
      listeners[token, default: [:]][id] = listener
    }
  }

  /// A listener has gone.
  func unlisten(_ id: UInt64, to token: ClaimToken) {
    listeners[token]?[id] = nil
    if listeners[token]?.isEmpty == true { listeners[token] = nil }
  }

  /// The client was closed.
  func end() {
    hasEnded = true
    for (token, hold) in holds {
      drop(token)
      hold.claim.end()
    }
    for listener in listeners.values.flatMap(\.values) { listener.finish() }
    listeners = [:]
  }
}
