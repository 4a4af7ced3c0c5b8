import DequeModule
import JobModel

/// What the core may be told to do differently.
public struct CoreConfiguration: Sendable {
  /// How long the claims of a lost connection hold, at the most, until their holder is back.
  public var reconnectGrace: Duration = .seconds(5)
  /// How long a report may be in memory only.
  public var reportDelay: Duration = .seconds(1)
  /// A tick this much too late means that the broker itself stood still: leases wait as long again, so that the
  /// heartbeats that queued up meanwhile are heard first.
  public var stallTolerance: Duration = .milliseconds(500)
  /// Changes kept for a watch that does not keep up.
  public var watchBacklog = 1_000
  /// Bytes of the changes kept for all such watches.
  public var watchBacklogSize = 64 << 20
  /// Bytes of the events of one connection that may be on their way to its socket; what comes then is kept for
  /// its watches.
  public var eventsUnderWay = 256 << 10
  /// The same for those of all connections.
  public var totalEventsUnderWay = 64 << 20
  /// Watches of one connection.
  public var watchesPerConnection = 100
  /// Snapshots under way at a time, from the store until they are told: each may have 10,000 jobs, others get their
  /// turn between them, and those that wait for the disk do so in memory.
  public var snapshotsUnderWay = 4
  /// How long to wait before the store is asked again for what it could not do, when no client asks.
  public var retryDelay: Duration = .seconds(1)
  /// How often to look for what others did with the store, while anybody waits for it; nil when it has no other
  /// users.
  public var pollInterval: Duration?
  /// Makes brokers look at different moments.
  public var pollSeed: UInt64 = 0
  /// How much longer than its term another broker's claim holds: what its holder reports takes a while to be known
  /// here.
  public var foreignLeaseSlack: Duration = .seconds(5)
  /// Jobs that one transaction of a reap or prune changes.
  public var sweepBatch = 500
  /// What the welcome says of the broker.
  public var server = "jobbrokerd"

  /// The defaults.
  public init() {}
}

/// Everything of the broker that lives in memory: connections, waiting claims, leases, watches.
///
/// It is pure: no input or output, no clock, no threads. The server tells it what happened and when, and carries
/// out the actions it collects. What a job may become is not decided here but in the store, in SQL.
public struct BrokerCore: Sendable {
  struct Session: Sendable {
    var peer: Peer
    var hello: Hello?
    var connectedAt: Timestamp
    /// Whether its socket has taken all that was sent.
    var hasRoom = true
    /// Bytes of its events that were not written yet.
    var eventsUnderWay = 0

    /// Whether it may be told of an event now.
    func takesEvents(upTo limit: Int) -> Bool { hasRoom && eventsUnderWay < limit }

    var worker: WorkerIdentity {
      WorkerIdentity(name: hello?.workerName ?? "", pid: peer.pid, uid: peer.uid)
    }
  }

  let configuration: CoreConfiguration
  var sessions: [ConnectionID: Session] = [:]
  var queue = ClaimQueue()
  var leases = LeaseTable()
  var watches: WatchTable
  /// Watches whose snapshots wait for their turn at the store.
  var waitingWatches: Deque<(key: RequestKey, selection: WatchSelection)> = []
  /// How many of those may be of connections that have ended, at the most.
  var endedWatches = 0
  var snapshotsUnderWay = 0
  /// Bytes of the events of all connections that were not written yet.
  var eventsUnderWay = 0
  /// Whose watches missed something for want of room for the events of all; nobody as long as there is some.
  var waitingForRoom: Set<ConnectionID> = []
  var polling: Polling?
  var foreignLeases = ForeignLeases()
  var pausedTypes: Set<TypeName>
  /// When the next job that waits for a moment may be claimed.
  var nextDue: Timestamp?
  var isPromoting = false
  /// Claims at the store, whose results are not known here yet.
  var claimsAtStore = 0
  /// What is kept from the store until they are: a reap, and all that came after it.
  var heldBack: [HeldBack] = []
  /// Not to be tried again before this, by the steady clock: the store could not.
  var nextPromotion: Duration?
  /// Whether the broker is about to end.
  public internal(set) var isDraining = false
  /// What the server shall do, in order; the server empties it.
  public var actions: [Action] = []

  /// A core that takes over what the last broker left: its claims in force get their full term again.
  public init(configuration: CoreConfiguration = .init(), recovery: Recovery = .init(), now: Moment) {
    self.configuration = configuration
    watches = WatchTable(
      backlogLimit: configuration.watchBacklog, sizeLimit: configuration.watchBacklogSize)
    pausedTypes = recovery.pausedTypes
    nextDue = recovery.nextDue
    polling = configuration.pollInterval.map {
      Polling(interval: $0, seed: configuration.pollSeed, now: now.steady)
    }
    for held in recovery.held {
      if polling == nil {
        leases.insert(held.job, holder: nil, term: held.lease, now: now.steady)
      } else {
        observe(held, now)
      }
    }
  }

  // MARK: Connections

  /// A peer connected.
  public mutating func open(_ connection: ConnectionID, _ peer: Peer, at now: Moment) {
    sessions[connection] = Session(peer: peer, connectedAt: now.wall)
  }

  /// A connection ended: its claims wait for it only for the grace.
  public mutating func close(_ connection: ConnectionID, at now: Moment) {
    guard let session = sessions.removeValue(forKey: connection) else { return }
    _ = queue.removeAll(of: connection)
    endedWatches += watches.count(of: connection)
    watches.removeAll(of: connection)
    // Not for each connection anew: many may end at once.
    if 2 * endedWatches > waitingWatches.count {
      waitingWatches.removeAll { sessions[$0.key.connection] == nil }
      endedWatches = 0
    }
    leases.orphan(connection, grace: configuration.reconnectGrace, now: now.steady)
    waitingForRoom.remove(connection)
    roomMade(session.eventsUnderWay)
  }

  /// A connection's socket does not take all that was sent, or has taken it.
  public mutating func setRoom(_ hasRoom: Bool, of connection: ConnectionID) {
    sessions[connection]?.hasRoom = hasRoom
    drainWatches(of: connection)
  }

  /// Events of a connection, of so many bytes by `JobEvent.size`, were written to its socket's buffer.
  public mutating func eventsWritten(_ size: Int, to connection: ConnectionID) {
    guard let session = sessions[connection] else { return }
    sessions[connection]?.eventsUnderWay -= size
    roomMade(size)
    // Only who had no room has missed something.
    if session.eventsUnderWay >= configuration.eventsUnderWay { drainWatches(of: connection) }
  }

  private mutating func roomMade(_ size: Int) {
    eventsUnderWay -= size
    while eventsUnderWay < configuration.totalEventsUnderWay, let connection = waitingForRoom.popFirst() {
      drainWatches(of: connection)
    }
  }

  /// A snapshot was told to its connection, or nobody is there to hear it: the next has its turn.
  public mutating func snapshotTold() {
    snapshotsUnderWay -= 1
    takeSnapshots()
  }

  private mutating func drainWatches(of connection: ConnectionID) {
    guard sessions[connection]?.takesEvents(upTo: configuration.eventsUnderWay) == true else { return }
    guard eventsUnderWay < configuration.totalEventsUnderWay else {
      waitingForRoom.insert(connection)
      return
    }
    for (key, event) in watches.drain(connection) { tell(key, event) }
  }

  mutating func tell(_ key: RequestKey, _ event: JobEvent) {
    sessions[key.connection]?.eventsUnderWay += event.size
    eventsUnderWay += event.size
    actions.append(.respond(key, .event(event)))
  }

  /// A response that handed over claims could not be sent: the jobs go back at once.
  public mutating func undelivered(_ claims: [ClaimToken], at now: Moment) {
    for claim in claims where leases.end(claim) {
      let reason = "the worker was gone before its claim could be delivered"
      let command = JobCommand.release(claim.id, attempt: claim.attempt, delay: .zero, reason: reason)
      submit(command, for: .end(claim))
    }
  }

  // MARK: Time

  /// When `tick` wants to be called, by the steady clock; nil when nothing waits for a moment.
  ///
  /// Mutating only so that whoever keeps a core in an object lends it: a reading call, one a request, would copy it.
  public mutating func nextTick(at now: Moment) -> Duration? {
    var next = queue.nextDeadline
    func consider(_ moment: Duration?) {
      if let moment { next = min(next ?? moment, moment) }
    }
    consider(leases.nextDeadline)
    consider(leases.unwrittenSince.map { $0 + configuration.reportDelay })
    if hasAudience { consider(polling?.next) }
    // The wall clock may be set while a job waits for a moment of it, so that is looked at again every second.
    if !isPromoting, let nextDue {
      let next = now.steady + min(max(nextDue - now.wall, .zero), .seconds(1))
      consider(max(next, nextPromotion ?? next))
    }
    return next
  }

  /// Does what is due. `scheduled` is the moment for which the call was meant.
  public mutating func tick(at now: Moment, scheduled: Duration) {
    if now.steady - scheduled > configuration.stallTolerance {
      leases.postpone(to: now.steady + configuration.stallTolerance)
    }
    for claim in queue.expire(now: now.steady) { answer(claim, with: []) }
    for claim in leases.expire(now: now.steady) {
      flushReports()
      submit(.lose(claim), for: .end(claim))
    }
    if let since = leases.unwrittenSince, since + configuration.reportDelay <= now.steady { flushReports() }
    if let next = polling?.next, next <= now.steady, hasAudience {
      polling?.begin()
      submit(.changes, for: .poll, isVolatile: true)
    }
    if let due = nextDue, due <= now.wall, !isPromoting, nextPromotion ?? now.steady <= now.steady {
      isPromoting = true
      nextPromotion = nil
      submit(.promote, for: .promotion)
    }
  }

  /// The broker is about to end: no claim is given any more, and what comes in is turned away.
  public mutating func drain() {
    isDraining = true
    for claim in queue.removeAll() { refuse(claim.key, BrokerCore.draining) }
    for watch in waitingWatches { refuse(watch.key, BrokerCore.draining) }
    waitingWatches = []
    flushReports()
  }

  // MARK: Helpers

  /// What is answered while the broker is about to end.
  public static let draining = JobError(
    .unavailable, "The broker is shutting down; connect again and repeat the request.")

  /// What is answered when the store is at fault.
  static let otherAnswer = JobError(.internal, "The store gave an answer to another question.")

  mutating func submit(_ command: JobCommand, for purpose: Purpose, isVolatile: Bool = false) {
    let submission = Submission(command: command, isVolatile: isVolatile, purpose: purpose)
    if heldBack.isEmpty { pass(submission) } else { heldBack.append(.submission(submission)) }
  }

  mutating func respond(_ key: RequestKey, _ reply: Reply) {
    guard sessions[key.connection] != nil else { return }
    actions.append(.respond(key, reply))
  }

  mutating func refuse(_ key: RequestKey, _ error: JobError) { respond(key, .error(error)) }

  mutating func send(_ claim: WaitingClaim) {
    let request = claim.request
    queue.leave(claim)
    submit(
      .claim(types: request.types, maxJobs: request.maxJobs, lease: request.lease, worker: claim.worker),
      for: .claim(claim), isVolatile: true)
  }

  mutating func answer(_ claim: WaitingClaim, with jobs: [Job]) {
    var told = jobs
    // What an earlier attempt reported is not for the holder, and may be large.
    for index in told.indices { told[index].result = nil }
    actions.append(.respond(claim.key, .claimed(told), handingOver: jobs.map(\.claim)))
  }

  /// Writes the reports ahead of whatever is submitted next, so that a job that ends shows how far it came.
  mutating func flushReports() {
    let reports = leases.takeReports()
    if !reports.isEmpty { submit(.report(reports), for: .reports, isVolatile: true) }
  }

  /// Jobs of a type became ready: sends the claims that wait for them to the store.
  mutating func signal(type: String, count: Int = 1) {
    guard !pausedTypes.contains(TypeName(type)), !isDraining else { return }
    for claim in queue.signal(type: type, count: count) { send(claim) }
  }

  mutating func publish(_ job: Job) {
    if watches.isEmpty { return }
    var job = job
    job.metadata = nil
    publish(.changed(job), id: job.id, type: job.type)
  }

  mutating func publish(_ event: JobEvent, id: JobID, type: String) {
    let limit = configuration.eventsUnderWay
    var room = configuration.totalEventsUnderWay - eventsUnderWay
    let told = watches.publish(event, id: id, type: type) {
      guard sessions[$0]?.takesEvents(upTo: limit) == true else { return false }
      if room > 0 {
        room -= event.size
        return true
      }
      waitingForRoom.insert($0)
      return false
    }
    for key in told { tell(key, event) }
  }
}
