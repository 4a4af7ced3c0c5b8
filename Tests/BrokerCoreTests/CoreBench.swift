import JobModel
import Testing

@testable import BrokerCore

/// A core with clocks that the test moves, and a test that plays the store: it answers each submission in turn.
struct CoreBench {
  struct Sent {
    var key: RequestKey
    var reply: Reply
    var handingOver: [ClaimToken]
  }

  var core: BrokerCore
  var now: Moment
  /// Submitted and not answered yet, in order.
  private(set) var submitted: [Submission] = []
  private(set) var sent: [Sent] = []
  private(set) var queries: [Query] = []
  private(set) var closed: [ConnectionID] = []
  /// Whether what is sent is written at once.
  var writesEvents = true
  /// Whether a snapshot is told at once.
  var tellsSnapshots = true
  private var lastRequest: UInt64 = 0

  init(_ configuration: CoreConfiguration = .init(), recovery: Recovery = .init()) {
    now = Moment(steady: .seconds(5_000), wall: Timestamp(milliseconds: 1_700_000_000_000))
    core = BrokerCore(configuration: configuration, recovery: recovery, now: now)
  }

  // MARK: What happens to the core

  /// A client connects and says hello.
  mutating func connect(
    _ number: UInt64, as name: String = "worker", isOperator: Bool = true, readOnly: Bool = false
  ) -> ConnectionID {
    let connection = ConnectionID(number)
    core.open(connection, Peer(pid: UInt32(number), uid: 1000, isOperator: isOperator), at: now)
    ask(.hello(Hello(workerName: name, readOnly: readOnly)), on: connection)
    _ = takeSent()
    return connection
  }

  @discardableResult
  mutating func ask(_ operation: JobModel.Operation, on connection: ConnectionID, id: UInt64? = nil)
    -> RequestKey
  {
    lastRequest += 1
    let key = RequestKey(connection: connection, id: id ?? lastRequest)
    core.receive(operation, key, at: now)
    collect()
    return key
  }

  mutating func close(_ connection: ConnectionID) {
    core.close(connection, at: now)
    collect()
  }

  mutating func undelivered(_ claims: [ClaimToken]) {
    core.undelivered(claims, at: now)
    collect()
  }

  mutating func setRoom(_ hasRoom: Bool, of connection: ConnectionID) {
    core.setRoom(hasRoom, of: connection)
    collect()
  }

  mutating func eventsWritten(_ size: Int, to connection: ConnectionID) {
    core.eventsWritten(size, to: connection)
    collect()
  }

  mutating func snapshotTold() {
    core.snapshotTold()
    collect()
  }

  mutating func drain() {
    core.drain()
    collect()
  }

  mutating func answer(_ key: RequestKey, _ result: Result<Answer, JobError>) {
    core.answer(key, result)
    collect()
  }

  /// The store answers the oldest submission.
  mutating func finish(_ result: Result<JobReply, JobError>) {
    let submission = submitted.removeFirst()
    core.finish(submission, result, at: now)
    collect()
  }

  mutating func finish(_ reply: JobReply) { finish(.success(reply)) }

  mutating func finish(_ error: JobError) { finish(.failure(error)) }

  /// The store has nothing for a claim, is content with reports, and so on: the answers of no consequence.
  mutating func finishEmpty() {
    switch submitted.first?.command {
    case .claim: finish(.claimed([]))
    case .report: finish(.reported(stale: []))
    case .pause, .resume: finish(.done)
    case let command: Issue.record("\(String(describing: command)) needs an answer of its own")
    }
  }

  // MARK: Time

  /// Both clocks move; the core is called when it wanted to be.
  mutating func advance(by duration: Duration) {
    let end = now.steady + duration
    while let next = core.nextTick(at: now), next <= end {
      move(to: max(next, now.steady))
      core.tick(at: now, scheduled: next)
      collect()
    }
    move(to: end)
  }

  /// The broker stands still for a while, and then does what it should have done meanwhile.
  mutating func stall(for duration: Duration) {
    let scheduled = core.nextTick(at: now)
    move(to: now.steady + duration)
    if let scheduled, scheduled <= now.steady {
      core.tick(at: now, scheduled: scheduled)
      collect()
    }
  }

  private mutating func move(to steady: Duration) {
    now.wall = now.wall + (steady - now.steady)
    now.steady = steady
  }

  // MARK: What the core wanted

  var commands: [JobCommand] { submitted.map(\.command) }

  mutating func takeSent() -> [Sent] {
    defer { sent = [] }
    return sent
  }

  func replies(to key: RequestKey) -> [Reply] { sent.filter { $0.key == key }.map(\.reply) }

  func error(to key: RequestKey) -> JobError.Code? {
    if case .error(let error) = replies(to: key).first { error.code } else { nil }
  }

  /// What was sent beside the replies: notices of claims taken away.
  func revocations(on connection: ConnectionID) -> [Revocation] {
    replies(to: RequestKey(connection: connection, id: 0)).compactMap {
      if case .revoked(let revocation) = $0 { revocation } else { nil }
    }
  }

  private mutating func collect() {
    var written: [(ConnectionID, Int)] = []
    var snapshots = 0
    for action in core.actions {
      switch action {
      case .submit(let submission): submitted.append(submission)
      case .query(_, let query): queries.append(query)
      case .respond(let key, let reply, let claims):
        sent.append(Sent(key: key, reply: reply, handingOver: claims))
        if case .event(let event) = reply, writesEvents { written.append((key.connection, event.size)) }
        if case .snapshot = reply, tellsSnapshots { snapshots += 1 }
      case .close(let connection): closed.append(connection)
      }
    }
    core.actions = []
    for (connection, size) in written { eventsWritten(size, to: connection) }
    for _ in 0..<snapshots { snapshotTold() }
  }
}

// MARK: Jobs

extension JobID {
  /// A job's id that is easy to read.
  static func number(_ number: UInt64) -> JobID { JobID(high: 0, low: number) }
}

extension Job {
  /// Job number `number`, pending unless its attempt says that it is held.
  static func number(
    _ number: UInt64, type: String = "ingest", attempt: Int = 0, status: JobStatus? = nil,
    progress: Double = 0,
    stage: String? = nil, notBefore: Timestamp? = nil
  ) -> Job {
    Job(
      id: .number(number), type: type, status: status ?? (attempt > 0 ? .processing : .pending),
      progress: progress, stage: stage, metadata: "{}", notBefore: notBefore, attempt: attempt,
      createdAt: Timestamp(milliseconds: 0), updatedAt: Timestamp(milliseconds: 0))
  }
}

extension ClaimToken {
  static func number(_ number: UInt64, attempt: Int = 1) -> ClaimToken {
    ClaimToken(id: .number(number), attempt: attempt)
  }
}

extension ClaimRequest {
  /// A claim that is willing to wait.
  static func waiting(
    _ types: String..., maxJobs: Int = 1, wait: Duration = .seconds(60), lease: Duration = .seconds(30)
  ) -> ClaimRequest {
    ClaimRequest(types: types, maxJobs: maxJobs, wait: wait, lease: lease)
  }
}

extension CoreBench {
  /// Connects a worker and gives it job `number`.
  mutating func hold(
    _ number: UInt64, attempt: Int = 1, on connection: ConnectionID, lease: Duration = .seconds(30)
  ) {
    ask(.claim(ClaimRequest(lease: lease)), on: connection)
    finish(.claimed([.number(number, attempt: attempt)]))
    _ = takeSent()
  }

  /// Asks to claim, and is told by the store that there is nothing.
  @discardableResult
  mutating func wait(_ request: ClaimRequest, on connection: ConnectionID) -> RequestKey {
    let key = ask(.claim(request), on: connection)
    finishEmpty()
    return key
  }
}
