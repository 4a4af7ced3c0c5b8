import JobModel
import StoreModel

@testable import BrokerCore

/// What the server does around the core, in steps that the simulation interleaves: it runs transactions one at a
/// time and in order, tells volatile results at once and durable ones after the disk, and calls `tick` on time
/// unless it stands still.
final class SimulatedBroker {
  private(set) var core: BrokerCore
  private(set) var store: ModelStore
  private var positions: Positions
  /// What a power cut leaves of the store.
  private var onDisk: ModelStore
  private(set) var links: [Link] = []
  private var lastLink: UInt64 = 0
  private(set) var waiting: [Submission] = []
  private var executing: (batch: [Submission], results: [Result<JobReply, JobError>])?
  private var queries: [(RequestKey, Query)] = []
  private var undelivered: [[ClaimToken]] = []
  private var outbox: [(commit: Int, message: Action)] = []
  private var commits = 0
  private var synced = 0
  private var scheduled: Duration?
  private var droppedEvents = 0
  private let auditor: Auditor
  private let fault: Fault?
  /// By how much the wall clock was set since the start.
  var wallOffset: Duration = .zero

  init(fault: Fault?, auditor: Auditor, now: Moment) {
    self.fault = fault
    self.auditor = auditor
    store = ModelStore(fault: fault)
    onDisk = store
    positions = Positions(of: store, fault: fault)
    core = BrokerCore(configuration: SimulatedBroker.configuration, now: now)
  }

  static var configuration: CoreConfiguration {
    var configuration = CoreConfiguration()
    configuration.watchBacklog = 2
    configuration.totalEventsUnderWay = 500
    configuration.sweepBatch = 1
    return configuration
  }

  // MARK: What the simulation may do

  var hasWaiting: Bool { !waiting.isEmpty && executing == nil }
  var hasExecuted: Bool { executing != nil }
  var hasUndelivered: Bool { !undelivered.isEmpty }
  var hasQueries: Bool { !queries.isEmpty }
  var isDirty: Bool { synced < commits }
  var nextTick: Duration? { scheduled.map { $0 - clockError } }

  func connect(_ client: Client, isOperator: Bool, at now: Moment) -> Link {
    lastLink += 1
    let link = Link(ConnectionID(lastLink), of: client)
    links.append(link)
    let pid = UInt32(client.number)
    core.open(link.id, Peer(pid: pid, uid: 1000, isOperator: isOperator), at: clock(now))
    return link
  }

  /// The broker reads a link's next request, or its end.
  func read(_ link: Link, at now: Moment) {
    guard link.isOpenAtBroker else { return }
    guard !link.requests.isEmpty else {
      if !link.isOpenAtClient { hearEnd(of: link, at: now) }
      return
    }
    let (id, operation) = link.requests.removeFirst()
    let key = RequestKey(connection: link.id, id: id)
    auditor.received(operation, key, at: now)
    if fault == .heartbeatsUnheard, case .update(let id, _?, let update) = operation, update.isReport,
      let job = store.jobs[id]
    {
      link.unwritten.append(Link.Message(id: key.id, reply: .job(job), handingOver: []))
      return
    }
    core.receive(operation, key, at: clock(now))
    if fault == .wakeUpsDropped, case .create = operation { dropClaims() }
    carryOut(.input, at: now)
  }

  /// Runs the first `count` waiting commands as one transaction, or fails to.
  func execute(_ count: Int, isAvailable: Bool, at now: Moment) {
    let batch = Array(waiting.prefix(count))
    waiting.removeFirst(batch.count)
    let results = batch.map { submission -> Result<JobReply, JobError> in
      guard isAvailable else {
        return .failure(JobError(.unavailable, "The store is busy."))
      }
      let result = store.execute(spared(submission.command), at: now.wall)
      let changes = store.takeChanges()
      auditor.executed(submission, result, changes, store, at: now)
      positions.follow(submission.command, changes)
      return result
    }
    if let wrong = positions.wrong(in: store) { auditor.violation(wrong) }
    executing = (batch, results)
  }

  /// Hands the results of the last transaction to the core.
  func finish(at now: Moment) {
    guard let (batch, results) = executing else { return }
    executing = nil
    commits += 1
    for (submission, result) in zip(batch, results) {
      auditor.finished(submission, result, in: self, at: now)
      core.finish(submission, result, at: clock(now))
      if fault == .resendsDropped, case .claim = submission.purpose { dropClaims() }
      carryOut(submission.isVolatile ? .volatileResult : .durableResult, at: now)
    }
  }

  /// The disk has what was executed.
  func sync(at now: Moment) {
    guard executing == nil else { return }
    onDisk = store
    synced = commits
    let told = outbox
    outbox = []
    for held in told { tell(held.message, at: now) }
  }

  func answerQuery(at now: Moment) {
    let (key, query) = queries.removeFirst()
    switch query {
    case .get(let id): core.answer(key, .success(.job(store.jobs[id])))
    case .stats: core.answer(key, .success(.stats(BrokerStats())))
    default: core.answer(key, .failure(JobError(.unsupported, "Not simulated.")))
    }
    carryOut(.answer, at: now)
  }

  func write(_ link: Link, at now: Moment) {
    guard link.isOpenAtBroker, link.hasRoom else { return }
    let messages = link.unwritten
    link.unwritten = []
    var events = 0
    for message in messages {
      auditor.written(message.handingOver)
      if case .event(let event) = message.reply { events += event.size }
    }
    if link.isOpenAtClient { link.responses += messages }
    core.eventsWritten(events, to: link.id)
    carryOut(.input, at: now)
  }

  func setRoom(_ hasRoom: Bool, of link: Link, at now: Moment) {
    guard link.isOpenAtBroker, link.hasRoom != hasRoom else { return }
    link.hasRoom = hasRoom
    core.setRoom(hasRoom, of: link.id)
    carryOut(.input, at: now)
  }

  /// Tells the core of claims that could not be delivered.
  func giveBack(at now: Moment) {
    let claims = undelivered.removeFirst()
    if fault == .undeliveredIgnored { return }
    core.undelivered(claims, at: clock(now))
    carryOut(.input, at: now)
  }

  func tick(at now: Moment) {
    guard let wanted = scheduled, wanted <= clock(now).steady else { return }
    scheduled = nil
    let late = clock(now).steady - wanted
    if late > core.configuration.stallTolerance {
      auditor.stoodStill(until: now.steady, tolerance: core.configuration.stallTolerance)
    }
    core.tick(at: clock(now), scheduled: fault == .stallsHidden ? clock(now).steady : wanted)
    for claim in lossesDecided { auditor.ranOut(claim, at: now) }
    carryOut(.input, at: now)
  }

  /// The claims that the core has decided to take back and the store has not been asked about.
  private var lossesDecided: [ClaimToken] {
    let submitted = core.actions.compactMap {
      if case .submit(let submission) = $0 { submission } else { nil }
    }
    let heldBack = core.heldBack.compactMap {
      if case .submission(let submission) = $0 { submission } else { nil }
    }
    return (submitted + heldBack).compactMap { if case .lose(let claim) = $0.command { claim } else { nil } }
  }

  /// The process is killed and started again. A power cut takes what is not on the disk, too.
  func restart(powerCut: Bool, at now: Moment) {
    for link in links { link.isOpenAtBroker = false }
    links = []
    waiting = []
    executing = nil
    queries = []
    undelivered = []
    outbox = []
    scheduled = nil
    if powerCut { store = onDisk }
    _ = store.takeChanges()
    onDisk = store
    positions = Positions(of: store, fault: fault)
    synced = commits
    core = BrokerCore(
      configuration: SimulatedBroker.configuration, recovery: store.recover(), now: clock(now))
    auditor.restarted(store, afterPowerCut: powerCut, at: now)
    schedule(at: now)
  }

  // MARK: Carrying out

  private func clock(_ now: Moment) -> Moment {
    Moment(steady: now.steady + clockError, wall: now.wall)
  }

  private var clockError: Duration { fault == .steadyClockJumps ? wallOffset : .zero }

  private func spared(_ command: JobCommand) -> JobCommand {
    guard fault == .sparingIgnored, case .reap(let cutoff, let type, _, let limit) = command else {
      return command
    }
    return .reap(before: cutoff, type: type, sparing: [], limit: limit)
  }

  private func dropClaims() {
    core.actions.removeAll {
      if case .submit(let submission) = $0, case .claim = submission.command { true } else { false }
    }
  }

  private func carryOut(_ origin: Origin, at now: Moment) {
    let actions = core.actions
    core.actions.removeAll()
    for action in actions {
      switch action {
      case .submit(let submission):
        if fault == .lossesDropped, case .lose = submission.command { continue }
        auditor.submitted(submission.command)
        waiting.append(submission)
        if fault == .wokenTwice, case .claim(let claim) = submission.purpose, claim.wokenFor != nil {
          waiting.append(submission)
        }
      case .query(let key, let query): queries.append((key, query))
      case .close(let id): auditor.violation("the broker closed connection \(id.number)")
      case .respond(let key, let reply, _):
        auditor.answered(key, reply)
        if isDropped(reply) { continue }
        if origin.mustWait(reply, isDirty: isDirty || executing != nil), fault != .toldBeforeDurable {
          outbox.append((commits, action))
        } else {
          tell(action, at: now)
        }
      }
    }
    schedule(at: now)
  }

  private func isDropped(_ reply: Reply) -> Bool {
    switch reply {
    case .revoked: return fault == .revocationsDropped
    case .event:
      guard fault == .eventsDropped else { return false }
      droppedEvents += 1
      return droppedEvents.isMultiple(of: 4)
    default: return false
    }
  }

  private func tell(_ action: Action, at now: Moment) {
    guard case .respond(let key, let reply, let claims) = action else { return }
    if case .snapshot = reply {
      core.snapshotTold()
      carryOut(.input, at: now)
    }
    guard let link = links.first(where: { $0.id == key.connection }) else {
      if !claims.isEmpty { undelivered.append(claims) }
      return
    }
    if case .event(let event) = reply { auditor.told(event, store, onDisk: onDisk) }
    link.unwritten.append(Link.Message(id: key.id, reply: reply, handingOver: claims))
  }

  private func hearEnd(of link: Link, at now: Moment) {
    link.isOpenAtBroker = false
    links.removeAll { $0 === link }
    for message in link.unwritten where !message.handingOver.isEmpty {
      undelivered.append(message.handingOver)
    }
    link.unwritten = []
    auditor.disconnected(link.id, grace: core.configuration.reconnectGrace, at: now)
    if fault == .disconnectsUnheard { return }
    core.close(link.id, at: clock(now))
    carryOut(.input, at: now)
  }

  private func schedule(at now: Moment) {
    guard let wanted = core.nextTick(at: clock(now)) else { return }
    scheduled = min(scheduled ?? wanted, wanted)
  }
}
