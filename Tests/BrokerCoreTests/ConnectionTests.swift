import BrokerCore
import JobModel
import Testing

@Suite("Connections")
struct ConnectionTests {
  private var bench = CoreBench()
  private let connection = ConnectionID(1)

  private mutating func open(isOperator: Bool = true) {
    bench.core.open(connection, Peer(pid: 1, uid: 1000, isOperator: isOperator), at: bench.now)
  }

  @Test("are welcomed when they say hello in the version that is spoken")
  mutating func welcome() {
    open()
    let hello = bench.ask(.hello(Hello()), on: connection)
    #expect(bench.replies(to: hello) == [.welcome(Welcome(server: "jobbrokerd"))])
    #expect(bench.closed.isEmpty)
    let ping = bench.ask(.ping, on: connection)
    #expect(bench.replies(to: ping) == [.pong])
  }

  @Test("that do not say hello first are refused and closed")
  mutating func helloFirst() {
    open()
    let key = bench.ask(.create([NewJob(type: "ingest")]), on: connection)
    #expect(bench.error(to: key) == .invalidArgument)
    #expect(bench.closed == [connection])
    #expect(bench.commands.isEmpty)
  }

  @Test("of another version are refused and closed")
  mutating func wrongVersion() {
    open()
    let key = bench.ask(.hello(Hello(protocolVersion: 2)), on: connection)
    #expect(bench.error(to: key) == .unsupported)
    #expect(bench.closed == [connection])
  }

  @Test("may say hello once")
  mutating func secondHello() {
    _ = bench.connect(1)
    let key = bench.ask(.hello(Hello(readOnly: true)), on: connection)
    #expect(bench.error(to: key) == .invalidArgument)
    #expect(bench.closed.isEmpty)
  }

  @Test("that are gone are answered nothing and listened to no more")
  mutating func gone() {
    _ = bench.connect(1)
    let key = bench.ask(.cancel(.number(1)), on: connection)
    bench.close(connection)
    bench.finish(.job(.number(1, status: .cancelled), changed: true))
    #expect(bench.replies(to: key) == [])
    bench.ask(.ping, on: connection)
    #expect(bench.takeSent().isEmpty)
  }

  private static let changes: [JobModel.Operation] = [
    .create([NewJob(type: "ingest")]), .update(.number(1), attempt: 1, JobUpdate()),
    .complete(.number(1), attempt: nil, result: nil),
    .fail(.number(1), attempt: nil, error: "", retryable: false),
    .release(.number(1), attempt: nil, delay: .zero),
    .cancel(.number(1)), .retry(.number(1)), .delete(.number(1)), .claim(ClaimRequest()),
    .reap(timeout: .seconds(1), type: nil), .pause(type: "ingest"), .resume(type: "ingest"),
    .prune(olderThan: .zero, status: nil, type: nil), .backup(path: "/tmp/x"),
  ]

  private static let reads: [JobModel.Operation] = [
    .ping, .get(.number(1)), .list(JobFilter()), .position(.number(1)), .stats, .workers,
    .watch(WatchSelection()),
  ]

  private static let operators: [JobModel.Operation] = [
    .delete(.number(1)), .reap(timeout: .seconds(1), type: nil), .pause(type: "ingest"),
    .resume(type: "ingest"),
    .prune(olderThan: .zero, status: nil, type: nil), .backup(path: "/tmp/x"),
  ]

  @Test("that are read-only may change nothing", arguments: changes)
  mutating func readOnlyChange(operation: JobModel.Operation) {
    let connection = bench.connect(1, readOnly: true)
    let key = bench.ask(operation, on: connection)
    #expect(bench.error(to: key) == .permissionDenied)
    #expect(bench.commands.isEmpty && bench.queries.isEmpty)
  }

  @Test("that are read-only may ask everything", arguments: reads)
  mutating func readOnlyRead(operation: JobModel.Operation) {
    let connection = bench.connect(1, isOperator: false, readOnly: true)
    let key = bench.ask(operation, on: connection)
    #expect(bench.error(to: key) == nil)
    #expect(bench.commands.count + bench.queries.count + bench.replies(to: key).count == 1)
  }

  @Test("of other users may not do what operators may", arguments: operators)
  mutating func operatorsOnly(operation: JobModel.Operation) {
    let other = bench.connect(1, isOperator: false)
    let key = bench.ask(operation, on: other)
    #expect(bench.error(to: key) == .permissionDenied)
    #expect(bench.commands.isEmpty && bench.queries.isEmpty)
    let own = bench.connect(2)
    bench.ask(operation, on: own)
    #expect(bench.commands.count + bench.queries.count == 1)
  }

  @Test("of other users may do all the rest", arguments: changes)
  mutating func everybody(operation: JobModel.Operation) {
    if ConnectionTests.operators.contains(operation) { return }
    let connection = bench.connect(1, isOperator: false)
    bench.ask(operation, on: connection)
    #expect(bench.commands.count == 1)
  }

  @Test("are listed with what they wait for and what they hold")
  mutating func workers() {
    let holder = bench.connect(1, as: "one")
    let waiter = bench.connect(2, as: "two")
    bench.hold(7, on: holder)
    bench.wait(.waiting("save"), on: waiter)
    let key = bench.ask(.workers, on: waiter)
    guard case .workers(let list)? = bench.replies(to: key).first else {
      Issue.record("no list of workers")
      return
    }
    let workers = list.workers
    #expect(workers.map(\.identity.name) == ["one", "two"])
    #expect(workers.map(\.isWaiting) == [false, true])
    #expect(workers.map(\.waitingTypes) == [[], ["save"]])
    #expect(workers.map(\.holds) == [[.init(claim: .number(7), type: "ingest")], []])
  }
}
