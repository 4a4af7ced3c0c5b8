import JobModel
import JobStore
import NIOCore
import NIOEmbedded
import Synchronization
import Testing

@testable import BrokerCore
@testable import BrokerServer

/// Which commands share a transaction.
@Suite struct GroupCommitTests {
  @Test func thoseWhoWereJustAnsweredShareTheNextTransactionOfARemoteStore() async throws {
    let bench = try await Bench(isRemote: true)
    try await bench.append(2)
    #expect(await bench.transaction() == 2)
    try await bench.append(1)
    try await bench.answer(after: .milliseconds(20))
    // The third could go; it waits for the two.
    try await bench.append(1)
    try await bench.append(1)
    #expect(await bench.transaction() == 3)
    try await bench.end()
  }

  @Test func aRemoteStoreWaitsNoLongerThanAPartOfATransaction() async throws {
    let bench = try await Bench(isRemote: true)
    try await bench.append(2)
    #expect(await bench.transaction() == 2)
    try await bench.append(1)
    try await bench.answer(after: .milliseconds(20))
    await bench.loop.advanceTime(by: .milliseconds(4))
    try await bench.append(1)
    await bench.loop.advanceTime(by: .milliseconds(1))
    #expect(await bench.transaction() == 2)
    try await bench.answer(after: .milliseconds(20))
    // Nobody came back in time, so whoever comes now goes at once.
    await bench.loop.advanceTime(by: .milliseconds(5))
    try await bench.append(1)
    #expect(await bench.transaction() == 1)
    try await bench.end()
  }

  @Test func aRemoteStoreDoesNotWaitForWhatTheBrokerItselfAsked() async throws {
    let bench = try await Bench(isRemote: true)
    try await bench.append(1)
    #expect(await bench.transaction() == 1)
    try await bench.append(1)
    try await bench.append(1, for: .poll)
    try await bench.append(1)
    try await bench.answer(after: .milliseconds(20))
    try await bench.append(1)
    #expect(await bench.transaction() == 4)
    try await bench.answer(after: .milliseconds(20))
    // Three were answered; nobody comes back for the fourth.
    try await bench.append(3)
    #expect(await bench.transaction() == 3)
    try await bench.end()
  }

  @Test(arguments: [false, true]) func aTransactionHasOnlySoManyCommands(isRemote: Bool) async throws {
    let bench = try await Bench(isRemote: isRemote)
    try await bench.append(1_024)
    #expect(await bench.transaction() == 512)
    try await bench.answer(after: .milliseconds(1))
    #expect(await bench.transaction() == 512)
    try await bench.end()
  }

  @Test func aStoreOnThisHostWaitsForNobody() async throws {
    let bench = try await Bench(isRemote: false)
    try await bench.append(2)
    #expect(await bench.transaction() == 2)
    try await bench.append(1)
    try await bench.answer(after: .milliseconds(20))
    #expect(await bench.transaction() == 1)
    try await bench.end()
  }

  /// The disk and the store work at the same time, but not for a command or two.
  @Test func whileTheDiskIsBusySomeCommandsGatherAndThenAreRun() async throws {
    let bench = try await Bench(isRemote: false, holdsSyncs: true)
    try await bench.append(1)
    #expect(await bench.transaction() == 1)
    try await bench.answer(after: .zero)
    try await bench.append(3)
    try await bench.append(1)
    // Had the three not waited, they would be one transaction; and the sync is not over.
    #expect(await bench.transaction() == 4)
    try await bench.end()
  }

  /// The commit of a store on this host may be seen before the loop hears of it, and before it is durable.
  @Test(arguments: [false, true]) func aReadWaitsForATransactionThatItMayHaveSeen(isRemote: Bool) async throws
  {
    let bench = try await Bench(isRemote: isRemote)
    #expect(try await bench.visible == nil)
    try await bench.append(1)
    #expect(await bench.transaction() == 1)
    #expect(try await bench.visible == (isRemote ? nil : 1))
    try await bench.answer(after: .zero)
    #expect(try await bench.visible == nil)
    try await bench.append(1)
    #expect(await bench.transaction() == 1)
    #expect(try await bench.visible == (isRemote ? nil : 2))
    try await bench.end()
  }
}

/// A group commit on a loop whose clock stands still until it is told the time.
private struct Bench {
  let loop = NIOAsyncTestingEventLoop()
  let store: HeldStore
  private let commits: NIOLoopBound<GroupCommit>
  private let answered: AsyncStream<Void>

  /// - Parameter holdsSyncs: whether no sync ends before all does.
  init(isRemote: Bool, holdsSyncs: Bool = false) async throws {
    let store = HeldStore(isRemote: isRemote, holdsSyncs: holdsSyncs)
    let (answered, answer) = AsyncStream<Void>.makeStream()
    self.store = store
    self.answered = answered
    commits = try await loop.executeInContext { [loop] in
      let commits = GroupCommit(store: store, eventLoop: loop)
      commits.report(
        to: .init(
          executed: { _, _ in if holdsSyncs { answer.yield() } },
          durable: { _ in if !holdsSyncs { answer.yield() } }, failed: { _ in }))
      return NIOLoopBound(commits, eventLoop: loop)
    }
  }

  /// - Parameter purpose: what the commands are for; somebody's request unless said otherwise.
  func append(_ count: Int, for purpose: Purpose? = nil) async throws {
    let purpose = purpose ?? .create(RequestKey(connection: ConnectionID(1), id: 1))
    try await loop.executeInContext { [commits] in
      for _ in 0..<count {
        commits.value.append(Submission(command: .promote, isVolatile: false, purpose: purpose))
      }
    }
    await loop.run()
  }

  var visible: Int? {
    get async throws { try await loop.executeInContext { [commits] in commits.value.visible } }
  }

  /// Waits until a transaction is under way, and returns how many commands it has.
  func transaction() async -> Int { await store.next() }

  /// Ends the transaction that is under way, and returns when that is known to all.
  func answer(after time: TimeAmount) async throws {
    await loop.advanceTime(by: time)
    store.answer()
    // The store's thread hands its results to the loop, which runs only when it is told to.
    let runs = Task { while !Task.isCancelled { await loop.run() } }
    for await _ in answered { break }
    runs.cancel()
    await runs.value
  }

  /// Ends what is under way.
  func end() async throws {
    store.endSyncs()
    try await answer(after: .zero)
    await loop.shutdownGracefully()
  }
}

/// A store that answers when it is told to.
private final class HeldStore: JobStore {
  let isRemote: Bool
  let name = "held"
  let executor: (any TaskExecutor)? = nil
  private let begun: AsyncStream<Int>
  private let begin: AsyncStream<Int>.Continuation
  private let held = Mutex<CheckedContinuation<Void, Never>?>(nil)
  private let syncs: AsyncStream<Void>
  private let endOfSyncs: AsyncStream<Void>.Continuation

  init(isRemote: Bool, holdsSyncs: Bool) {
    self.isRemote = isRemote
    (syncs, endOfSyncs) = AsyncStream.makeStream()
    if !holdsSyncs { endOfSyncs.finish() }
    (begun, begin) = AsyncStream.makeStream()
  }

  func next() async -> Int {
    for await count in begun { return count }
    return 0
  }

  func answer() {
    held.withLock { held in
      held?.resume()
      held = nil
    }
  }

  func execute(_ commands: [JobCommand]) async throws(JobError) -> [Result<JobReply, JobError>] {
    await withCheckedContinuation { continuation in
      held.withLock { $0 = continuation }
      begin.yield(commands.count)
    }
    return commands.map { _ in .success(.done) }
  }

  func endSyncs() { endOfSyncs.finish() }

  func sync() async { for await _ in syncs {} }

  func get(_ id: JobID) -> Job? { nil }
  func list(_ filter: JobFilter) -> JobPage { JobPage(jobs: [], nextCursor: nil) }
  func position(_ id: JobID) -> QueuePosition { .none }
  func stats() -> [TypeStats] { [] }
  func recover() -> Recovery { Recovery(held: [], pausedTypes: [], nextDue: nil) }
  func backup(to path: String) {}
  func close() {}
}
