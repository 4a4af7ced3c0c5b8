import JobModel

/// One claim in force.
struct Lease: Sendable {
  /// The job as it was last seen, with what its holder reported since; without metadata and result, of which a broker
  /// with many leases would hold much.
  var job: Job
  /// Where its holder is connected, if it is.
  var holder: ConnectionID?
  /// How long the claim holds without a sign of life.
  var term: Duration
  /// When it ends, by the steady clock.
  var deadline: Duration
  /// When its holder was last heard from, by the steady clock.
  var heard: Duration
  /// What the store has not been told yet.
  var unwritten: JobUpdate?
  /// What is on its way to the store, oldest first.
  var underWay: [JobUpdate] = []
  /// Its holder is gone, and the store has been asked to take the job back.
  var isEnding = false
}

/// The claims in force, and when each ends.
///
/// There is no heap of deadlines: claims end early far more often than they run out, and a heartbeat only moves a
/// deadline away. So the table remembers one moment before which none can end, and looks through all of them then.
struct LeaseTable {
  private var leases: [JobID: Lease] = [:]
  /// The jobs of each connection's leases.
  private var byHolder: [ConnectionID: Set<JobID>] = [:]
  /// Every lease with something unwritten is among these.
  private var unwritten: [JobID] = []
  /// No lease ends earlier.
  private var earliest: Duration?
  /// Claims that ran out are looked for no earlier than this.
  private var postponedTo: Duration?
  /// The oldest unwritten report came then.
  private(set) var unwrittenSince: Duration?

  var isEmpty: Bool { leases.isEmpty }

  var all: some Sequence<Lease> { leases.values }

  /// When to call `expire`.
  var nextDeadline: Duration? { earliest.map { max($0, postponedTo ?? $0) } }

  /// The claim in force on a job.
  subscript(id: JobID) -> Lease? { leases[id] }

  /// The claim in force on a job, if it is this one.
  subscript(claim: ClaimToken) -> Lease? {
    leases[claim.id].flatMap { $0.job.attempt == claim.attempt ? $0 : nil }
  }

  /// A claim begins, or is found at start.
  mutating func insert(_ job: Job, holder: ConnectionID?, term: Duration, now: Duration) {
    remove(job.id)
    var lease = Lease(job: job.outline, term: term, deadline: now + term, heard: now)
    give(&lease, to: holder)
    leases[job.id] = lease
    expect(now + term)
  }

  /// A claim ends. Nil when there was none.
  @discardableResult
  mutating func remove(_ id: JobID) -> Lease? {
    guard let lease = leases.removeValue(forKey: id) else { return nil }
    if let holder = lease.holder { byHolder.remove(id, from: holder) }
    return lease
  }

  /// The store shows the job of a claim in force anew, after what somebody asked over a connection that is still
  /// there, its holder if `isFenced`: a sign of life. Returns the job with what its holder reported since.
  mutating func refresh(_ job: Job, from connection: ConnectionID?, isFenced: Bool, now: Duration) -> Job {
    guard var lease = leases[job.id] else { return job }
    let reported = lease.job
    lease.job = job
    if lease.unwritten != nil || !lease.underWay.isEmpty {
      for update in lease.underWay { lease.job.apply(report: update) }
      if let update = lease.unwritten { lease.job.apply(report: update) }
      lease.job.updatedAt = reported.updatedAt
      lease.job.leaseExpiresAt = reported.leaseExpiresAt
    }
    if let connection {
      if isFenced { follow(connection, with: &lease) }
      lease.heard = now
      lease.deadline = now + lease.term
    }
    let refreshed = lease.job
    lease.job = refreshed.outline
    leases[job.id] = lease
    return refreshed
  }

  // MARK: Reports

  /// The holder reports, over this connection: the lease is whole again. Returns the job as it is now; nil when
  /// no such claim is in force.
  mutating func report(
    _ id: JobID, attempt: Int?, _ update: JobUpdate, from connection: ConnectionID, now: Moment
  ) -> Job? {
    guard var lease = leases[id], !lease.isEnding, attempt == nil || lease.job.attempt == attempt else {
      return nil
    }
    // Only a request that carries the attempt is the holder's; another's sign of life does not move the claim.
    if attempt != nil { follow(connection, with: &lease) }
    lease.job.apply(report: update)
    lease.heard = now.steady
    lease.deadline = now.steady + lease.term
    lease.job.updatedAt = now.wall
    lease.job.leaseExpiresAt = now.wall + lease.term
    if lease.unwritten == nil { unwritten.append(id) }
    lease.unwritten = lease.unwritten?.followed(by: update) ?? update
    leases[id] = lease
    if unwrittenSince == nil { unwrittenSince = now.steady }
    return lease.job
  }

  /// The holder updates its job, over this connection, with what is for the store to judge: its claim does not run out while
  /// that takes its time. (What ends a job is with the store before the end of the lease could be.)
  mutating func hear(_ claim: ClaimToken, from connection: ConnectionID, now: Duration) {
    guard var lease = self[claim] else { return }
    lease.heard = now
    if !lease.isEnding {
      follow(connection, with: &lease)
      lease.deadline = max(lease.deadline, now + lease.term)
    }
    leases[claim.id] = lease
  }

  /// What was reported since the last call, for the store.
  mutating func takeReports() -> [HolderReport] {
    guard unwrittenSince != nil else { return [] }
    var reports: [HolderReport] = []
    for id in unwritten {
      guard var lease = leases[id], let update = lease.unwritten else { continue }
      lease.unwritten = nil
      lease.underWay.append(update)
      leases[id] = lease
      reports.append(
        HolderReport(
          claim: lease.job.claim, update: update,
          leaseExpiresAt: lease.job.leaseExpiresAt ?? lease.job.updatedAt,
          heardAt: lease.job.updatedAt))
    }
    unwritten.removeAll(keepingCapacity: true)
    unwrittenSince = nil
    return reports
  }

  /// The store has written reports that `takeReports` returned.
  mutating func didWrite(_ reports: [HolderReport]) {
    for report in reports where self[report.claim]?.underWay.isEmpty == false {
      leases[report.claim.id]?.underWay.removeFirst()
    }
  }

  /// The store could not write reports that `takeReports` returned: they are handed over again, with what came later.
  mutating func didNotWrite(_ reports: [HolderReport], now: Duration) {
    for report in reports {
      guard var lease = self[report.claim], !lease.underWay.isEmpty else { continue }
      let later = lease.underWay.dropFirst() + [lease.unwritten ?? JobUpdate()]
      if lease.unwritten == nil { unwritten.append(lease.job.id) }
      lease.unwritten = later.reduce(lease.underWay.removeFirst()) { $0.followed(by: $1) }
      leases[lease.job.id] = lease
      if unwrittenSince == nil { unwrittenSince = now }
    }
  }

  // MARK: Ending

  /// A holder's connection ended: its claims hold for `grace` at the most unless it comes back.
  mutating func orphan(_ connection: ConnectionID, grace: Duration, now: Duration) {
    for id in byHolder.removeValue(forKey: connection) ?? [] {
      guard var lease = leases[id] else { continue }
      lease.holder = nil
      lease.deadline = min(lease.deadline, now + grace)
      leases[id] = lease
      expect(now + grace)
    }
  }

  /// Marks a claim that the store is asked to end. False when it is not in force, or ending already.
  mutating func end(_ claim: ClaimToken) -> Bool {
    guard var lease = self[claim], !lease.isEnding else { return false }
    lease.isEnding = true
    give(&lease, to: nil)
    leases[claim.id] = lease
    return true
  }

  /// The store could not end a claim: it runs out at `deadline`, unless its holder is heard from.
  mutating func resume(_ claim: ClaimToken, deadline: Duration) {
    guard self[claim] != nil else { return }
    leases[claim.id]?.isEnding = false
    leases[claim.id]?.deadline = deadline
    expect(deadline)
  }

  /// Marks the claims that ran out and returns them, the first to run out first.
  mutating func expire(now: Duration) -> [ClaimToken] {
    guard let nextDeadline, nextDeadline <= now else { return [] }
    var lost: [Lease] = []
    var next: Duration?
    for (_, lease) in leases where !lease.isEnding {
      if lease.deadline <= now {
        lost.append(lease)
      } else {
        next = min(next ?? lease.deadline, lease.deadline)
      }
    }
    for lease in lost { leases[lease.job.id]?.isEnding = true }
    earliest = next
    postponedTo = nil
    return lost.sorted { ($0.deadline, $0.job.id) < ($1.deadline, $1.job.id) }.map(\.job.claim)
  }

  /// Looks for claims that ran out no earlier than this.
  mutating func postpone(to moment: Duration) { postponedTo = moment }

  /// The jobs whose holders were heard from since `moment`.
  func heard(since moment: Duration) -> [JobID] {
    leases.values.filter { $0.heard > moment }.map(\.job.id)
  }

  /// The holder is heard from over a connection; what an earlier one still had to say does not move it back.
  private mutating func follow(_ connection: ConnectionID, with lease: inout Lease) {
    if connection.number > lease.holder?.number ?? 0 { give(&lease, to: connection) }
  }

  private mutating func give(_ lease: inout Lease, to holder: ConnectionID?) {
    if let old = lease.holder { byHolder.remove(lease.job.id, from: old) }
    if let holder { byHolder[holder, default: []].insert(lease.job.id) }
    lease.holder = holder
  }

  private mutating func expect(_ deadline: Duration) {
    earliest = min(earliest ?? deadline, deadline)
  }
}

extension Job {
  /// Takes over what a holder reports.
  fileprivate mutating func apply(report update: JobUpdate) {
    if let progress = update.progress { self.progress = progress }
    switch update.stage {
    case .keep: break
    case .clear: stage = nil
    case .set(let stage): self.stage = stage
    }
  }
}
