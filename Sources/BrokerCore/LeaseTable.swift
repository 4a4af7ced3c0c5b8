import JobModel

/// One claim in force.
struct Lease: Sendable {
  /// The job as it was last seen, with what its holder reported since; without metadata.
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
  /// It ran out, and the store has been asked to take the job back.
  var isExpiring = false
}

/// The claims in force, and when each ends.
///
/// There is no heap of deadlines: claims end early far more often than they run out, and a heartbeat only moves a
/// deadline away. So the table remembers one moment before which none can end, and looks through all of them then.
struct LeaseTable {
  private var leases: [JobID: Lease] = [:]
  private var unwritten: Set<JobID> = []
  /// No lease ends earlier.
  private(set) var nextDeadline: Duration?
  /// The oldest unwritten report came then.
  private(set) var unwrittenSince: Duration?

  var all: some Sequence<Lease> { leases.values }

  /// The claim in force on a job.
  subscript(id: JobID) -> Lease? { leases[id] }

  /// A claim begins, or is found at start.
  mutating func insert(_ job: Job, holder: ConnectionID?, term: Duration, now: Duration) {
    var job = job
    job.metadata = nil
    leases[job.id] = Lease(job: job, holder: holder, term: term, deadline: now + term, heard: now)
    expect(now + term)
  }

  /// A claim ends. Nil when it was not in force.
  @discardableResult
  mutating func remove(_ id: JobID) -> Lease? {
    unwritten.remove(id)
    return leases.removeValue(forKey: id)
  }

  /// The store shows the job of a claim in force anew: a sign of life.
  mutating func refresh(_ job: Job, now: Duration) {
    guard var lease = leases[job.id] else { return }
    lease.job = job
    lease.job.metadata = nil
    lease.heard = now
    lease.deadline = now + lease.term
    leases[job.id] = lease
  }

  /// The holder reports, over this connection: the lease is whole again. Returns the job as it is now; nil when
  /// no such claim is in force.
  mutating func report(
    _ id: JobID, attempt: Int?, _ update: JobUpdate, from connection: ConnectionID, now: Moment
  ) -> Job? {
    guard var lease = leases[id], !lease.isExpiring, attempt == nil || lease.job.attempt == attempt else {
      return nil
    }
    // Only a request that carries the attempt is the holder's; another's sign of life does not move the claim.
    if attempt != nil { lease.holder = connection }
    if let progress = update.progress { lease.job.progress = progress }
    switch update.stage {
    case .keep: break
    case .clear: lease.job.stage = nil
    case .set(let stage): lease.job.stage = stage
    }
    lease.heard = now.steady
    lease.deadline = now.steady + lease.term
    lease.job.updatedAt = now.wall
    lease.job.leaseExpiresAt = now.wall + lease.term
    lease.unwritten = lease.unwritten?.followed(by: update) ?? update
    leases[id] = lease
    unwritten.insert(id)
    if unwrittenSince == nil { unwrittenSince = now.steady }
    return lease.job
  }

  /// What was reported since the last call, for the store.
  mutating func takeReports() -> [HolderReport] {
    guard unwrittenSince != nil else { return [] }
    var reports: [HolderReport] = []
    for id in unwritten {
      guard var lease = leases[id], let update = lease.unwritten else { continue }
      lease.unwritten = nil
      leases[id] = lease
      reports.append(
        HolderReport(
          claim: lease.job.claim, update: update, leaseExpiresAt: lease.job.leaseExpiresAt ?? lease.job.updatedAt,
          heardAt: lease.job.updatedAt))
    }
    unwritten.removeAll(keepingCapacity: true)
    unwrittenSince = nil
    return reports
  }

  /// A holder's connection ended: its claims hold for `grace` at the most unless it comes back.
  mutating func orphan(_ connection: ConnectionID, grace: Duration, now: Duration) {
    for (id, lease) in leases where lease.holder == connection {
      leases[id]?.holder = nil
      leases[id]?.deadline = min(lease.deadline, now + grace)
      expect(now + grace)
    }
  }

  /// Marks the claims that ran out and returns them.
  mutating func expire(now: Duration) -> [ClaimToken] {
    guard let nextDeadline, nextDeadline <= now else { return [] }
    var lost: [Lease] = []
    var next: Duration?
    for (_, lease) in leases where !lease.isExpiring {
      if lease.deadline <= now { lost.append(lease) } else { next = min(next ?? lease.deadline, lease.deadline) }
    }
    for lease in lost { leases[lease.job.id]?.isExpiring = true }
    self.nextDeadline = next
    return lost.sorted { $0.deadline < $1.deadline }.map(\.job.claim)
  }

  /// Looks for claims that ran out no earlier than this.
  mutating func postpone(to moment: Duration) {
    if let next = nextDeadline, next < moment { nextDeadline = moment }
  }

  /// The jobs whose holders were heard from since `moment`.
  func heard(since moment: Duration) -> [JobID] {
    leases.values.filter { $0.heard > moment }.map(\.job.id)
  }

  private mutating func expect(_ deadline: Duration) {
    nextDeadline = min(nextDeadline ?? deadline, deadline)
  }
}
