import JobModel

/// A store that other brokers use too: what they did is asked for now and then, and the claims that they gave are
/// watched, for a broker can't give back what its workers held when it was killed.
extension BrokerCore {
  /// Whether anybody here waits for what others may do: a claim for a job, a watch for a change, a holder for a
  /// cancellation.
  var hasAudience: Bool { !isDraining && (queue.count > 0 || !watches.isEmpty || !leases.isEmpty) }

  /// The store told what others did.
  mutating func learn(_ changes: StoreChanges, _ now: Moment) {
    let slack = configuration.foreignLeaseSlack
    // Nobody listened for a while, so silence says nothing of the other brokers.
    if let last = polling?.lastSuccess, now.steady - last > slack { foreignLeases.renew(now: now.steady) }
    polling?.end(now: now.steady, succeeded: true, hasMore: changes.hasMore)
    let resumed = pausedTypes.subtracting(changes.pausedTypes)
    pausedTypes = changes.pausedTypes
    if let recovery = changes.recovery { catchUp(recovery, now) }
    for job in changes.jobs { changed(job, now) }
    for job in changes.deleted { deleted(job.id, type: job.type) }
    for type in resumed.sorted() { signal(type: type.text, count: .max) }
    if changes.hasMore { return }
    for claim in foreignLeases.expire(now: now.steady) { submit(.lose(claim), for: .end(claim)) }
  }

  /// Some changes will never be told: whoever waits looks for himself, and what is in force is taken over as at start.
  private mutating func catchUp(_ recovery: Recovery, _ now: Moment) {
    nextDue = recovery.nextDue
    for held in recovery.held {
      if let lease = leases[held.job.id] {
        // A claim of a worker here, in force or about to be given back; or another broker has given the job away since.
        guard lease.job.attempt < held.job.attempt else { continue }
        leases.remove(held.job.id)
        revoke(lease, by: held.job)
      }
      observe(held, now)
    }
    if !isDraining { for claim in queue.removeAll() { send(queue.resend(claim)) } }
    let limit = configuration.eventsUnderWay
    for key in watches.resync(takesEvents: { sessions[$0]?.takesEvents(upTo: limit) == true }) {
      tell(key, .resync)
    }
  }

  /// A claim that another broker gave, as it is in the store.
  mutating func observe(_ held: Recovery.HeldClaim, _ now: Moment) {
    foreignLeases.observe(
      held.job.claim, term: held.lease + configuration.foreignLeaseSlack, now: now.steady)
  }

  /// A job that nobody here holds, as it is now. Its holder may turn up here after a restart of the broker.
  mutating func observe(_ job: Job, from holder: ConnectionID?, _ now: Moment) {
    guard job.status == .processing, let end = job.leaseExpiresAt else { return foreignLeases.remove(job.id) }
    let term = end - job.updatedAt
    if let holder, sessions[holder] != nil {
      foreignLeases.remove(job.id)
      leases.insert(job, holder: holder, term: term, now: now.steady)
    } else {
      foreignLeases.observe(job.claim, term: term + configuration.foreignLeaseSlack, now: now.steady)
    }
  }
}

/// When to ask what others did.
struct Polling: Sendable {
  private let interval: Duration
  private var random: UInt64
  private var isUnderWay = false
  private var due: Duration
  /// When the store last answered, by the steady clock.
  private(set) var lastSuccess: Duration

  init(interval: Duration, seed: UInt64, now: Duration) {
    self.interval = interval
    random = seed
    due = now
    lastSuccess = now
  }

  /// When to ask next; nil while an answer is awaited.
  var next: Duration? { isUnderWay ? nil : due }

  mutating func begin() { isUnderWay = true }

  mutating func end(now: Duration, succeeded: Bool, hasMore: Bool) {
    isUnderWay = false
    if succeeded { lastSuccess = now }
    due = hasMore ? now : now + interval * jitter()
  }

  /// Between 0.75 and 1.25, by a linear congruential generator (Knuth's MMIX).
  private mutating func jitter() -> Double {
    random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return 0.75 + Double(random >> 11) * 0x1p-53 / 2
  }
}

/// The claims that other brokers gave. Each holds as long as something new is heard of it within its term, by the
/// steady clock here, so that nothing depends on how well the clocks of the hosts agree.
struct ForeignLeases: Sendable {
  private struct Lease {
    var claim: ClaimToken
    var term: Duration
    var deadline: Duration
  }

  private var leases: [JobID: Lease] = [:]

  /// A claim is in force, and was just heard of.
  mutating func observe(_ claim: ClaimToken, term: Duration, now: Duration) {
    leases[claim.id] = Lease(claim: claim, term: term, deadline: now + term)
  }

  mutating func remove(_ id: JobID) { leases.removeValue(forKey: id) }

  /// All hold for their full terms again.
  mutating func renew(now: Duration) {
    for (id, lease) in leases { leases[id]?.deadline = now + lease.term }
  }

  /// The claims of which nothing was heard for their term. They stay until they are seen to have ended.
  mutating func expire(now: Duration) -> [ClaimToken] {
    let silent = leases.values.filter { $0.deadline <= now }
    for lease in silent { leases[lease.claim.id]?.deadline = now + lease.term }
    return silent.sorted { ($0.deadline, $0.claim.id) < ($1.deadline, $1.claim.id) }.map(\.claim)
  }
}
