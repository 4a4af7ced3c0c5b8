import JobModel
import JobStore
import NIOCore
import NIOEmbedded
import Synchronization
import Testing

@testable import BrokerCore
@testable import BrokerServer

/// A group commit on a loop whose clock stands still until it is told the time.
final class GroupCommitBench: Sendable {
  let loop = NIOAsyncTestingEventLoop()
  let store: HeldStore
  private let commits: NIOLoopBound<GroupCommit>
  private let events = Events()
  private let looks: NIOLoopBoundBox<[() -> Void]>
  private let holdsSyncs: Bool

  /// - Parameters:
  ///   - holdsSyncs: whether a sync ends when it is told to, not at once.
  ///   - holdsLooks: whether a look at the sockets ends when it is told to, not at once.
  init(isRemote: Bool, holdsSyncs: Bool = false, holdsLooks: Bool = false) async throws {
    let store = HeldStore(isRemote: isRemote, holdsSyncs: holdsSyncs)
    self.store = store
    self.holdsSyncs = holdsSyncs
    (commits, looks) = try await loop.executeInContext { [loop, events] in
      let looks = NIOLoopBoundBox<[() -> Void]>([], eventLoop: loop)
      let commits = GroupCommit(store: store, eventLoop: loop) { action in
        looks.value.append(action)
        if !holdsLooks { loop.assumeIsolated().execute { looks.value.removeFirst()() } }
      }
      commits.report(
        to: .init(
          executed: { batch, results in
            let succeeded = results.allSatisfy { if case .success = $0 { true } else { false } }
            events.note("\(succeeded ? "executed" : "refused") \(batch.count)")
          },
          durable: { events.note("durable \($0)") }, failed: { _ in events.note("failed") }))
      return (NIOLoopBound(commits, eventLoop: loop), looks)
    }
  }

  /// One whose second sync, of 100 µs as the first, has just made commands of so many clients durable.
  static func withClients(_ count: UInt64, holdsLooks: Bool = false) async throws -> GroupCommitBench {
    let bench = try await GroupCommitBench(isRemote: false, holdsSyncs: true, holdsLooks: holdsLooks)
    try await bench.execute(1)
    try await bench.endSync(after: .microseconds(100))
    try await bench.append(from: Array(1...count))
    #expect(await bench.transaction() == count)
    try await bench.answer(after: .zero)
    try await bench.endSync(after: .microseconds(100))
    #expect(bench.told == ["executed 1", "durable 1", "executed \(count)", "durable 2"])
    bench.events.forget()
    return bench
  }

  /// Appends commands of one client within a turn of the loop.
  ///
  /// - Parameters:
  ///   - purpose: what the commands are for; the client's request unless said otherwise.
  ///   - isVolatile: whether they don't need the disk.
  ///   - jobs: how many each of them creates; 0: they create none.
  func append(
    _ count: Int, from client: UInt64 = 1, for purpose: Purpose? = nil, isVolatile: Bool = false,
    jobs: Int = 0
  ) async throws {
    let clients = Array(repeating: client, count: count)
    try await append(from: clients, for: purpose, isVolatile: isVolatile, jobs: jobs)
  }

  /// Appends a command of each of these clients within a turn of the loop.
  func append(
    from clients: [UInt64], for purpose: Purpose? = nil, isVolatile: Bool = false, jobs: Int = 0
  ) async throws {
    let new = (0..<jobs).map { _ in NewJob(type: "t") }
    let command = new.isEmpty ? JobCommand.promote : .create(new)
    try await loop.executeInContext { [commits] in
      for client in clients {
        let purpose = purpose ?? .create(RequestKey(connection: ConnectionID(client), id: 1))
        commits.value.append(Submission(command: command, isVolatile: isVolatile, purpose: purpose))
      }
    }
    await loop.run()
  }

  /// Refuses the commands of a client that wait.
  func refuse(_ client: UInt64) async throws {
    try await loop.executeInContext { [commits] in
      commits.value.refuse { $0.asker == ConnectionID(client) }
    }
  }

  /// The loop has looked at its sockets, as it was asked to.
  func look() async throws {
    try await loop.executeInContext { [looks] in
      let due = looks.value
      looks.value = []
      #expect(!due.isEmpty)
      for action in due { action() }
    }
    await loop.run()
  }

  var isSyncing: Bool {
    get async throws { try await loop.executeInContext { [commits] in commits.value.isSyncing } }
  }

  var visible: Int? {
    get async throws { try await loop.executeInContext { [commits] in commits.value.visible } }
  }

  /// Waits until a transaction is under way, and returns how many commands it has.
  func transaction() async -> Int { await store.next() }

  /// What the delegate was told.
  var told: [String] { events.all }

  /// Ends the transaction that is under way, and returns when that is known to all.
  func answer(after time: TimeAmount) async throws {
    await loop.advanceTime(by: time)
    let known = told.count
    try store.answer()
    try await run { told.count > known && (holdsSyncs || told.last?.hasPrefix("durable") == true) }
  }

  /// Has the transaction that is under way end with an unknown outcome, and returns when that is known.
  func loseTransaction() async throws {
    try store.answer(.failure(JobError(.unknownOutcome, "lost")))
    try await run { told.last == "failed" }
  }

  func reportToNobody() async throws {
    try await loop.executeInContext { [commits] in commits.value.report(to: nil) }
  }

  /// Runs a transaction of so many commands.
  func execute(_ count: Int, from client: UInt64 = 1) async throws {
    try await append(count, from: client)
    #expect(await transaction() == count)
    try await answer(after: .zero)
  }

  /// Ends the sync that is under way, and returns when that is known to all.
  func endSync(after time: TimeAmount = .zero) async throws {
    await loop.advanceTime(by: time)
    let known = told.count
    store.endSync(.success(()))
    try await run { told[known...].contains { $0.hasPrefix("durable") } }
  }

  /// Has the sync that is under way fail, and returns when that is known.
  func failSync() async throws {
    store.endSync(.failure(JobError(.unknownOutcome, "lost")))
    try await run { try await loop.executeInContext { [commits] in commits.value.failure != nil } }
  }

  /// Runs the loop, which runs only when it is told to, until something is so: the store's results come from other threads.
  private func run(until isSo: () async throws -> Bool) async throws {
    while try await !isSo() {
      try Task.checkCancellation()
      await loop.run()
      await Task.yield()
    }
  }

  /// Ends the transaction that is under way, and the sync if there is one.
  func end() async throws {
    store.endSync(.success(()))
    try await answer(after: .zero)
    await loop.shutdownGracefully()
  }
}

/// What happened, in order.
private final class Events: Sendable {
  private let events = Mutex<[String]>([])

  var all: [String] { events.withLock { $0 } }

  func note(_ event: String) { events.withLock { $0.append(event) } }

  func forget() { events.withLock { $0 = [] } }
}

/// A store that answers when it is told to.
final class HeldStore: JobStore {
  let isRemote: Bool
  let name = "held"
  let executor: (any TaskExecutor)? = nil
  private let begun: AsyncStream<[JobCommand]>
  private let begin: AsyncStream<[JobCommand]>.Continuation
  private let heldUp = Atomic(false)
  private let held = Mutex<CheckedContinuation<Result<Void, JobError>, Never>?>(nil)
  private let holdsSyncs: Bool
  private let syncs: AsyncStream<Result<Void, JobError>>
  private let ends: AsyncStream<Result<Void, JobError>>.Continuation

  init(isRemote: Bool, holdsSyncs: Bool) {
    self.isRemote = isRemote
    self.holdsSyncs = holdsSyncs
    (syncs, ends) = AsyncStream.makeStream()
    (begun, begin) = AsyncStream.makeStream()
  }

  var isHeldUp: Bool {
    get { heldUp.load(ordering: .acquiring) }
    set { heldUp.store(newValue, ordering: .releasing) }
  }

  func next() async -> Int { await nextCommands().count }

  func nextCommands() async -> [JobCommand] {
    for await commands in begun { return commands }
    return []
  }

  func answer(_ outcome: Result<Void, JobError> = .success(())) throws {
    let transaction = held.withLock { $0.take() }
    try #require(transaction, "no transaction is under way").resume(returning: outcome)
  }

  func execute(_ commands: [JobCommand]) async throws(JobError) -> [Result<JobReply, JobError>] {
    let outcome = await withCheckedContinuation { continuation in
      held.withLock { $0 = continuation }
      begin.yield(commands)
    }
    try outcome.get()
    return commands.map { _ in .success(.done) }
  }

  func endSync(_ outcome: Result<Void, JobError>) { ends.yield(outcome) }

  func sync() async throws(JobError) {
    guard holdsSyncs else { return }
    for await outcome in syncs { return try outcome.get() }
  }

  func get(_ id: JobID) -> Job? { nil }
  func list(_ filter: JobFilter) -> JobPage { JobPage(jobs: [], nextCursor: nil) }
  func position(_ id: JobID) -> QueuePosition { .none }
  func stats() -> [TypeStats] { [] }
  func recover() -> Recovery { Recovery(held: [], pausedTypes: [], nextDue: nil) }
  func backup(to path: String) {}
  func close() {}
}
