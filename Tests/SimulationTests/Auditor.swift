import JobModel
import StoreModel

@testable import BrokerCore

/// Watches everything that happens and knows, independently of the core and the store, what must not.
final class Auditor {
  /// A claim in force as the rules of the design have it.
  private struct Term {
    var claim: ClaimToken
    var lease: Duration
    var deadline: Duration
    var heard: Duration
    var holder: ConnectionID?
  }

  /// The first rule that was broken.
  private(set) var broken: String?
  /// How often things happened that the simulation is there for.
  private(set) var seen: [String: Int] = [:]
  private var issued: Set<ClaimToken> = []
  private var terms: [JobID: Term] = [:]
  /// Claims whose response was written, or that a restart left in force.
  private var handedOver: Set<ClaimToken> = []
  private var openClaims: [RequestKey: ClaimRequest] = [:]
  private var answeredClaims: Set<RequestKey> = []
  /// Of each reap under way, whom it must spare: those heard from when it, or a further part of it, was asked for, and
  /// those claimed since then.
  private var reaping: [RequestKey: (heard: Set<ClaimToken>, since: Duration)] = [:]
  /// When the store ran the claims.
  private var claimedAt: [ClaimToken: Duration] = [:]
  private var noLossBefore: Duration = .zero
  /// Claims that the core takes back, until it asks the store to: a report that comes meanwhile is too late.
  private var ending: Set<ClaimToken> = []
  /// Jobs that somebody was told exist, or are finished, and that nobody has deleted or retried since.
  private var acknowledged: Set<JobID> = []
  private var finished: [JobID: JobStatus] = [:]
  private var excused: Set<JobID> = []

  func violation(_ text: @autoclosure () -> String) {
    if broken == nil { broken = text() }
  }

  func saw(_ event: String) { seen[event, default: 0] += 1 }

  // MARK: Around the core

  func received(_ operation: JobModel.Operation, _ key: RequestKey, at now: Moment) {
    switch operation {
    case .claim(let request): openClaims[key] = request
    case .update(let id, let attempt, let update) where update.isReport:
      guard var term = terms[id], attempt == nil || term.claim.attempt == attempt,
        !ending.contains(term.claim)
      else { return }
      term.heard = now.steady
      term.deadline = now.steady + term.lease
      if attempt != nil, key.connection.number >= term.holder?.number ?? 0 { term.holder = key.connection }
      terms[id] = term
      saw("report in memory")
    case .update(let id, let attempt?, _):
      // The claim does not run out while the store judges it.
      guard var term = terms[id], term.claim.attempt == attempt, !ending.contains(term.claim) else { return }
      term.heard = now.steady
      term.deadline = max(term.deadline, now.steady + term.lease)
      if key.connection.number >= term.holder?.number ?? 0 { term.holder = key.connection }
      terms[id] = term
    case .reap(let timeout, _):
      let since = now.steady - timeout
      reaping[key] = (heard(since: since), since)
    default: break
    }
  }

  private func heard(since: Duration) -> Set<ClaimToken> {
    Set(terms.values.filter { $0.heard > since }.map(\.claim))
  }

  /// The core decided to take a claim back, now or, when it is behind a reap, in an earlier tick.
  func ranOut(_ claim: ClaimToken, at now: Moment) {
    guard ending.insert(claim).inserted else { return }
    saw("claim ran out")
    guard let term = terms[claim.id], term.claim == claim else {
      return violation("a claim was taken back that was not in force: \(claim)")
    }
    if term.deadline > now.steady { violation("a claim was taken back before its time: \(claim)") }
    if now.steady < noLossBefore { violation("a claim was taken back before queued heartbeats were heard") }
  }

  func submitted(_ command: JobCommand) {
    switch command {
    case .lose(let claim):
      if ending.remove(claim) == nil { violation("a claim was taken back that had not run out: \(claim)") }
      if terms[claim.id]?.claim == claim { terms[claim.id] = nil }
    case .release(let id, let attempt?, _, _?):
      saw("undelivered claim given back")
      if terms[id]?.claim.attempt == attempt { terms[id] = nil }
    default: break
    }
  }

  func answered(_ key: RequestKey, _ reply: Reply) {
    switch reply {
    case .event: break
    case .revoked: saw("revocation")
    case .claimed(let jobs):
      openClaims[key] = nil
      if !answeredClaims.insert(key).inserted {
        violation("claim \(key.id) of connection \(key.connection.number) was answered twice")
      }
      saw(jobs.isEmpty ? "claim answered with nothing" : "claim answered with jobs")
    case .error:
      openClaims[key] = nil
    default: break
    }
  }

  /// A watch is told of a change, which a power cut may not undo any more.
  func told(_ event: JobEvent, _ store: ModelStore, onDisk: ModelStore) {
    switch event {
    case .changed(let job):
      let isShown = { (known: Job) in known.status == job.status && known.attempt == job.attempt }
      let isOnDisk = onDisk.jobs[job.id].map(isShown) ?? false
      if !isOnDisk, store.jobs[job.id].map(isShown) ?? false {
        violation("a watch was told that a job is \(job.status.rawValue) before that was durable: \(job.id)")
      }
    case .deleted(let id):
      if store.jobs[id] == nil, onDisk.jobs[id] != nil {
        violation("a watch was told that a job is gone before that was durable: \(id)")
      }
    case .resync: break
    }
  }

  func finished(
    _ submission: Submission, _ result: Result<JobReply, JobError>, in broker: SimulatedBroker, at now: Moment
  ) {
    guard case .success(let reply) = result else {
      if case .end(let claim) = submission.purpose, case .failure(let error) = result,
        error.code == .unavailable,
        let lease = broker.core.leases[claim]
      {
        saw("claim could not be ended")
        handedOver.insert(claim)
        terms[claim.id] = Term(
          claim: claim, lease: lease.term, deadline: now.steady + broker.core.configuration.retryDelay,
          heard: lease.heard, holder: lease.holder)
      }
      return
    }
    switch (submission.command, reply) {
    case (.claim(_, _, let lease, _), .claimed(let jobs)):
      guard case .claim(let claim) = submission.purpose else { return }
      if jobs.isEmpty { saw("claim found nothing") }
      for job in jobs {
        terms[job.id] = Term(
          claim: job.claim, lease: lease, deadline: now.steady + lease, heard: now.steady,
          holder: claim.key.connection)
      }
    case (_, .job(let job, changed: true)):
      guard case .request(let key, let isFenced) = submission.purpose else { return follow(job, at: now) }
      let isOpen = broker.links.contains { $0.id == key.connection }
      follow(job, from: isOpen ? key.connection : nil, isFenced: isFenced, at: now)
    case (.reap(_, _, _, let limit), .reaped(let jobs)):
      for job in jobs { follow(job, at: now) }
      guard jobs.count == limit, case .reap(let reap) = submission.purpose,
        let since = reaping[reap.key]?.since
      else { return }
      saw("reap in parts")
      reaping[reap.key]?.heard.formUnion(heard(since: since))
    case (_, .deleted(let job)): terms[job.id] = nil
    case (_, .reported(let stale)):
      for claim in stale where terms[claim.id]?.claim == claim { terms[claim.id] = nil }
    default: break
    }
  }

  private func follow(
    _ job: Job, from connection: ConnectionID? = nil, isFenced: Bool = false, at now: Moment
  ) {
    guard var term = terms[job.id] else { return }
    if job.status == .processing, job.attempt == term.claim.attempt {
      guard let connection else { return }
      if isFenced, connection.number > term.holder?.number ?? 0 { term.holder = connection }
      term.deadline = now.steady + term.lease
      term.heard = now.steady
      terms[job.id] = term
    } else {
      terms[job.id] = nil
    }
  }

  func written(_ claims: [ClaimToken]) { handedOver.formUnion(claims) }

  func disconnected(_ connection: ConnectionID, grace: Duration, at now: Moment) {
    openClaims = openClaims.filter { $0.key.connection != connection }
    for (id, term) in terms where term.holder == connection {
      terms[id]?.holder = nil
      terms[id]?.deadline = min(term.deadline, now.steady + grace)
    }
  }

  func stoodStill(until now: Duration, tolerance: Duration) {
    saw("stall")
    noLossBefore = now + tolerance
  }

  func restarted(_ store: ModelStore, afterPowerCut: Bool, at now: Moment) {
    saw(afterPowerCut ? "power cut" : "kill")
    openClaims = [:]
    reaping = [:]
    terms = [:]
    ending = []
    if afterPowerCut {
      // Claims may be undone: their workers went down with the host.
      issued = Set(
        store.jobs.values.flatMap { job in (0...job.attempt).map { ClaimToken(id: job.id, attempt: $0) } })
      for id in acknowledged where store.jobs[id] == nil { violation("an acknowledged job is gone: \(id)") }
      for (id, status) in finished where store.jobs[id]?.status != status {
        violation("an acknowledged end was undone: \(id) was \(status)")
      }
    }
    for held in store.recover().held {
      handedOver.insert(held.job.claim)
      terms[held.job.id] = Term(
        claim: held.job.claim, lease: held.lease, deadline: now.steady + held.lease, heard: now.steady,
        holder: nil)
    }
  }

  // MARK: Around the store

  func executed(
    _ submission: Submission, _ result: Result<JobReply, JobError>, _ changes: [ModelStore.Change],
    _ store: ModelStore, at now: Moment
  ) {
    let command = submission.command
    let fence = Fence(command)
    for change in changes {
      if let broken = fence.rule(brokenBy: change) { violation("\(command): \(broken)") }
    }
    switch (command, result) {
    case (.claim(let types, let maxJobs, _, _), .success(.claimed(let jobs))):
      for job in jobs where !issued.insert(job.claim).inserted { violation("claimed twice: \(job.claim)") }
      for job in jobs { claimedAt[job.claim] = now.steady }
      checkOrder(of: jobs, types: types, isFull: jobs.count == maxJobs, store)
    case (.reap(_, _, _, let limit), .success(.reaped(let jobs))):
      guard case .reap(let reap) = submission.purpose, let (heard, since) = reaping[reap.key] else {
        return violation("a reap that nobody asked for")
      }
      if jobs.count > limit { violation("reaped more than the limit") }
      for job in jobs {
        saw("job reaped")
        if heard.contains(job.claim) { violation("reaped though heard from: \(job.claim)") }
        if let claimed = claimedAt[job.claim], claimed > since {
          violation("reaped though just claimed: \(job.claim)")
        }
      }
    case (.promote, .success(.promoted(let ready, _))): if !ready.isEmpty { saw("promotion") }
    case (_, .success(.job(_, changed: false))): saw("already so")
    case (_, .failure(let error)): saw(error.code.rawValue)
    default: break
    }
    for change in changes {
      if change.before?.status == .pending, change.after?.status.isFinished == true, fence.attempt != nil {
        saw("late holder finished")
      }
      guard let id = change.before?.id else { continue }
      if change.after == nil || change.before?.status.isFinished == true {
        acknowledged.remove(id)
        finished[id] = nil
        excused.insert(id)
      }
    }
  }

  /// A claim takes the best jobs there are, and leaves none that it could take.
  private func checkOrder(of taken: [Job], types: [String], isFull: Bool, _ store: ModelStore) {
    for job in taken where store.pausedTypes.contains(TypeName(job.type)) {
      violation("claimed while paused: \(job.id)")
    }
    for left in store.jobs.values where left.status == .pending && left.notBefore == nil {
      guard !store.pausedTypes.contains(TypeName(left.type)), types.isEmpty || types.contains(left.type)
      else {
        continue
      }
      if !isFull { violation("a claim with room left \(left.id) behind") }
      for job in taken where (-Int(left.priority), left.sequence) < (-Int(job.priority), job.sequence) {
        violation("\(job.id) was claimed before \(left.id)")
      }
    }
  }

  // MARK: Around the clients

  func toldCreated(_ id: JobID) {
    if !excused.contains(id) { acknowledged.insert(id) }
  }

  func toldFinished(_ id: JobID, _ status: JobStatus) {
    if !excused.contains(id) { finished[id] = status }
  }

  // MARK: When all is quiet

  /// Nothing is on its way: what the core, the store and the clients believe must agree.
  func checkQuiet(_ broker: SimulatedBroker, _ clients: [Client], at now: Moment) {
    let (core, store) = (broker.core, broker.store)
    for (key, request) in openClaims {
      for job in store.jobs.values where store.isClaimable(job) && request.accepts(type: job.type) {
        violation("claim \(key.id) of connection \(key.connection.number) sleeps beside \(job.id)")
      }
    }
    let held = Set(store.held.map(\.claim))
    if held != Set(core.leases.all.map(\.job.claim)) { violation("the core's claims are not the store's") }
    if held != Set(terms.values.map(\.claim)) {
      violation("the claims in force are not those that should be")
    }
    for claim in held where !handedOver.contains(claim) { violation("nobody was handed \(claim)") }
    if now.steady >= noLossBefore {
      for term in terms.values where term.deadline < now.steady {
        violation("\(term.claim) ran out unnoticed")
      }
    }
    for client in clients {
      if let broken = client.rule(brokenIn: store, core) { violation("client \(client.number): \(broken)") }
    }
  }
}
