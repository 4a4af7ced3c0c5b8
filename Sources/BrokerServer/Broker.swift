import BrokerCore
import JobModel
import JobProtocol
import JobStore
import Logging
import NIOCore

/// The broker at work on its event loop: hands what happens to the core, and carries out what the core wants.
///
/// Bound to its event loop.
final class Broker {
  let eventLoop: any EventLoop
  let codec = MessageCodec()
  let sockets: SocketTurn
  private let store: any JobStore
  private let configuration: ServerConfiguration
  private let logger: Logger
  private let commits: GroupCommit
  private let started = NIODeadline.now()
  private var core: BrokerCore
  private var connections: [ConnectionID: Connection] = [:]
  private var connectionsOfUser: [UInt32: Int] = [:]
  private var lastConnection: UInt64 = 0
  private var unflushed: [Connection] = []
  /// Writes that the sockets have not taken in full.
  private var writesUnderWay = 0
  private var isFlushScheduled = false
  /// Bytes of memory that all connections together make the broker hold, those that have gone among them.
  private var held = 0
  private var leftBehind = LeftBehind()
  private var isRefusalScheduled = false
  private var outbox = Outbox()
  private var spareActions: [Action] = []
  private var reads = ReadQueue()
  private var nextTick: (at: Duration, task: Scheduled<Void>)?
  private var whenDrained: (() -> Void)?
  private var whenFailed: ((JobError) -> Void)?

  init(
    store: any JobStore, recovery: Recovery, configuration: ServerConfiguration, eventLoop: any EventLoop,
    sockets: SocketTurn, logger: Logger
  ) {
    self.store = store
    self.configuration = configuration
    self.eventLoop = eventLoop
    self.sockets = sockets
    self.logger = logger
    commits = GroupCommit(store: store, eventLoop: eventLoop) { sockets($0) }
    core = BrokerCore(configuration: configuration.core, recovery: recovery, now: .now)
  }

  /// Begins to serve. `whenFailed` is called once if the store can no longer be trusted.
  func start(whenFailed: @escaping (JobError) -> Void) {
    self.whenFailed = whenFailed
    commits.report(
      to: .init(
        executed: { [unowned self] in executed($0, $1) }, durable: { [unowned self] in durable($0) },
        failed: { [unowned self] in failed($0) }))
    carryOut(at: .now)
  }

  // MARK: Connections

  func nextConnectionID() -> ConnectionID {
    lastConnection += 1
    return ConnectionID(lastConnection)
  }

  /// Takes a connection in, or says why not.
  func admit(_ connection: Connection) -> JobError? {
    let user = connection.credentials.uid
    let groups = connection.credentials.groups
    if core.isDraining { return BrokerCore.draining }
    guard configuration.access.allows(user: user, groups: groups) else {
      return JobError(
        .permissionDenied,
        "User \(user) may not use this broker; its --allow-uid or --allow-gid would let it.")
    }
    guard connections.count < configuration.maxConnections,
      connectionsOfUser[user, default: 0] < configuration.maxConnectionsPerUser
    else {
      return JobError(
        .resourceExhausted, "Too many connections; close some, or raise the broker's --max-connections.")
    }
    connections[connection.id] = connection
    connectionsOfUser[user, default: 0] += 1
    let isOperator = configuration.access.isOperator(user: user, groups: groups)
    core.open(
      connection.id, Peer(pid: connection.credentials.pid, uid: user, isOperator: isOperator), at: .now)
    return nil
  }

  func connectionClosed(_ connection: Connection) {
    guard connections.removeValue(forKey: connection.id) != nil else { return }
    let user = connection.credentials.uid
    connectionsOfUser[user] = connectionsOfUser[user].flatMap { $0 > 1 ? $0 - 1 : nil }
  }

  /// Nothing more is received or sent on a connection; what was sent may still be on its way. It leaves requests of so many
  /// bytes behind.
  func connectionEnds(_ connection: Connection, leaving size: Int) {
    reads.removeWaiting(of: connection.id)
    let now = Moment.now
    core.close(connection.id, at: now)
    leftBehind.add(size, end: commits.appended)
    heldChanged(by: size - leftBehind.remove(upTo: commits.commands))
    carryOut(at: now)
  }

  /// Nobody waits for the answers to what was left behind, so it is the first to go when too much is held.
  private func refuseLeftBehind() {
    if isRefusalScheduled { return }
    isRefusalScheduled = true
    // Results are told in the order of their commands, so not in the middle of others.
    eventLoop.assumeIsolated().execute { [self] in
      isRefusalScheduled = false
      commits.refuse { $0.asker.map { connections[$0]?.isClosing != false } ?? false }
      held -= leftBehind.remove(after: commits.taken)
    }
  }

  func receive(_ request: Request, from connection: Connection) {
    let now = Moment.now
    core.receive(request.operation, RequestKey(connection: connection.id, id: request.id), at: now)
    let endsWatch = if case .unwatch = request.operation { true } else { false }
    carryOut(endsWatch ? .endOfWatch : .input, at: now)
  }

  func undelivered(_ claims: [ClaimToken]) {
    let now = Moment.now
    core.undelivered(claims, at: now)
    carryOut(at: now)
  }

  func eventsWritten(_ size: Int, to connection: Connection) {
    core.eventsWritten(size, to: connection.id)
    carryOut(at: .now)
  }

  /// A connection makes the broker hold more or less. When it is too much in all, what was left behind is refused; if that is
  /// not enough, one goes: of the user for whom most is held, the one that holds most.
  func heldChanged(by difference: Int) {
    held += difference
    guard difference > 0, held > ServerConfiguration.maxHeld else { return }
    if leftBehind.isAny(after: commits.taken) { refuseLeftBehind() }
    // What a transaction under way has of it is nobody's fault who is still there.
    guard held - leftBehind.size > ServerConfiguration.maxHeld else { return }
    var heldForUser: [UInt32: Int] = [:]
    for connection in connections.values {
      heldForUser[connection.credentials.uid, default: 0] += connection.held
    }
    let user = heldForUser.max { $0.value < $1.value }?.key
    let ofUser = connections.values.lazy.filter { $0.credentials.uid == user }
    guard let worst = ofUser.max(by: { $0.held < $1.held }) else { return }
    logger.warning(
      "cut off a client: too much is held for it",
      metadata: [
        "pid": "\(worst.credentials.pid)", "uid": "\(worst.credentials.uid)", "bytes": "\(worst.held)",
      ])
    worst.cutOff()
  }

  func roomChanged(_ hasRoom: Bool, of connection: Connection) {
    core.setRoom(hasRoom, of: connection.id)
    carryOut(at: .now)
  }

  // MARK: Writing

  /// A connection has something to send. Everything of one turn of the loop goes out together.
  func needsFlush(_ connection: Connection) {
    unflushed.append(connection)
    if isFlushScheduled { return }
    isFlushScheduled = true
    eventLoop.assumeIsolated().execute { [self] in
      isFlushScheduled = false
      flushAll()
      checkDrained()
    }
  }

  func writeBegan() { writesUnderWay += 1 }

  func writeEnded() {
    writesUnderWay -= 1
    guard whenDrained != nil, writesUnderWay == 0 else { return }
    // A connection that was full goes on with what it had received meanwhile, after this.
    eventLoop.assumeIsolated().execute { [self] in checkDrained() }
  }

  private func flushAll() {
    let connections = unflushed
    unflushed.removeAll(keepingCapacity: true)
    for connection in connections { connection.flush() }
  }

  // MARK: The store

  private func executed(_ batch: CommandBatch, _ results: [Result<JobReply, JobError>]) {
    let now = Moment.now
    held -= leftBehind.remove(upTo: commits.commands)
    for (submission, result) in zip(batch.submissions, results) {
      core.finish(submission, result, at: now)
      carryOut(submission.isVolatile ? .volatileResult : .durableResult)
    }
    scheduleTick(at: now)
  }

  private func durable(_ commit: Int) {
    for action in outbox.release(upTo: commit) { tell(action) }
    startReads()
    checkDrained()
  }

  private func failed(_ error: JobError) {
    logger.critical("the store failed: \(error.message)")
    for action in outbox.release(upTo: .max) {
      guard case .respond(let key, let reply, _) = action, !reply.isEvent else { continue }
      if case .error = reply { tell(action) } else { tell(.respond(key, .error(error))) }
    }
    for read in reads.removeWaiting() { tell(.respond(read.key, .error(error))) }
    // Whoever waits, and what comes until the connections are closed, is turned away in words.
    core.drain()
    carryOut(at: .now)
    flushAll()
    whenFailed?(error)
  }

  /// Runs the reads whose turn it is. While answers wait for the disk they gather in memory, so there may be no more.
  private func startReads() {
    while outbox.answers < ServerConfiguration.maxAnswersHeld, let read = reads.next() { run(read) }
  }

  private func run(_ read: ReadQueue.Read) {
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    let (store, eventLoop) = (store, eventLoop)
    Task(executorPreference: store.executor) {
      let result: Result<Answer, JobError>
      do throws(JobError) { result = .success(try await store.answer(read.query)) } catch {
        result = .failure(error)
      }
      eventLoop.execute { bound.value.answer(read, result) }
    }
  }

  private func answer(_ read: ReadQueue.Read, _ result: Result<Answer, JobError>) {
    reads.end(read.query)
    core.answer(read.key, result.map(completed))
    carryOut(.answer)
    startReads()
    checkDrained()
  }

  /// An answer with what only the server knows, and cut to what fits a frame.
  private func completed(_ answer: Answer) -> Answer {
    switch answer {
    case .stats(var stats):
      stats.commits = commits.commits
      stats.commands = commits.commands
      stats.uptime = .nanoseconds((NIODeadline.now() - started).nanoseconds)
      stats.cpu = ProcessUsage.cpu
      stats.residentBytes = ProcessUsage.residentBytes
      stats.store = store.name
      stats.pid = ProcessUsage.processID
      return .stats(stats)
    case .page(let page): return .page(page.fittingFrame())
    case .job, .position, .done: return answer
    }
  }

  // MARK: Actions

  private func carryOut(_ origin: Origin = .input, at now: Moment) {
    carryOut(origin)
    scheduleTick(at: now)
  }

  private func carryOut(_ origin: Origin) {
    while !core.actions.isEmpty {
      // Two arrays take turns, so that neither is allocated anew; carrying one out may lead back here.
      var actions = spareActions
      spareActions = []
      swap(&actions, &core.actions)
      defer {
        actions.removeAll(keepingCapacity: true)
        spareActions = actions
      }
      for action in actions {
        switch action {
        case .submit(let submission): commits.append(submission)
        case .query(let key, let query):
          reads.append(.init(query: query, key: key))
          startReads()
        case .close(let id): connections[id]?.close()
        case .respond(_, let reply, _):
          // Events stay in order, also where the transaction that one waits for turns out to be held up.
          let follows = !outbox.isEmpty && (reply.isEvent || origin == .endOfWatch)
          if origin.mustWait(reply, isDirty: commits.visible != nil || follows) {
            let commit = max(commits.visible ?? commits.commits, outbox.last ?? 0)
            outbox.hold(action, until: commit, isAnswer: origin == .answer)
          } else {
            tell(action)
          }
        }
      }
    }
  }

  private func tell(_ action: Action) {
    guard case .respond(let key, let reply, let claims) = action else { return }
    if reply.isSnapshot {
      core.snapshotTold()
      carryOut(.input)
    }
    guard let connection = connections[key.connection] else {
      if !claims.isEmpty { undelivered(claims) }
      return
    }
    switch reply {
    case .snapshot(let jobs, _, let truncated):
      let pages = jobs.pagesFittingFrames()
      for (index, page) in pages.enumerated() {
        let reply = Reply.snapshot(Array(page), more: index < pages.count - 1, truncated: truncated)
        connection.send(Response(id: key.id, reply: reply))
      }
    case .stats(let stats): connection.send(Response(id: key.id, reply: .stats(stats.fittingFrame())))
    case .workers(let list): connection.send(Response(id: key.id, reply: .workers(list.fittingFrame())))
    default: connection.send(Response(id: key.id, reply: reply), handingOver: claims)
    }
  }

  // MARK: Time

  private func scheduleTick(at now: Moment) {
    guard let wanted = core.nextTick(at: now), wanted < nextTick?.at ?? .seconds(Int64.max) else { return }
    nextTick?.task.cancel()
    let delay = TimeAmount(max(wanted - now.steady, .zero))
    let task = eventLoop.assumeIsolated().scheduleTask(in: delay) { [self] in
      // What has come by now is heard first, as a rule, though the loop stood still.
      sockets { [self] in
        guard nextTick?.at == wanted else { return }
        nextTick = nil
        let now = Moment.now
        core.tick(at: now, scheduled: wanted)
        carryOut(at: now)
      }
    }
    nextTick = (wanted, task)
  }

  // MARK: The end

  /// Gives no more claims, answers what is under way, and then calls `whenDone`.
  func drain(whenDone: @escaping () -> Void) {
    core.drain()
    whenDrained = whenDone
    carryOut(at: .now)
    checkDrained()
  }

  private func checkDrained() {
    guard let done = whenDrained, commits.isIdle, reads.isIdle, unflushed.isEmpty, outbox.isEmpty,
      writesUnderWay == 0
    else {
      return
    }
    whenDrained = nil
    done()
  }

  /// Ends every connection and lets go of everything that holds the broker.
  func stop() {
    flushAll()
    commits.report(to: nil)
    for connection in connections.values { connection.close() }
    flushAll()
    // The last, for the end of a connection may want a tick.
    nextTick?.task.cancel()
    nextTick = nil
  }
}

extension Moment {
  /// The present moment.
  static var now: Moment {
    Moment(steady: .nanoseconds(NIODeadline.now().uptimeNanoseconds), wall: .now)
  }
}
