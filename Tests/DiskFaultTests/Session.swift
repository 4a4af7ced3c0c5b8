import JobModel
import Logging
import Synchronization
import TestSupport

@testable import SQLiteJobStore

/// A store on a VFS with a log, and what can be said of it from outside: its state after each transaction, and when
/// it promised what.
final class Session {
  let directory: TemporaryDirectory
  let vfs: FaultVFS
  let store: SQLiteJobStore
  /// The state after each transaction, before the first one first.
  private(set) var states: [StoreState]
  /// Where in the log each transaction began.
  private var begun: [Int] = []
  /// From where in the log on how many transactions were acknowledged.
  private(set) var promises: [(moment: Int, transactions: Int)] = []

  private var reader: StateReader?
  private let clock: Clock

  init(
    in directory: TemporaryDirectory, on vfs: FaultVFS, clock: Clock, durability: Durability = .full,
    checkpointFrames: Int32, waitsElsewhere: Bool
  ) async throws {
    self.directory = directory
    self.vfs = vfs
    self.clock = clock
    store = try await .open(
      .tested(
        directory.database, vfs: vfs, clock: clock, durability: durability,
        checkpointFrames: checkpointFrames,
        waitsElsewhere: waitsElsewhere))
    let reader = try StateReader(directory.database)
    self.reader = reader
    states = [try reader.state()]
  }

  /// Transactions so far.
  var transactions: Int { states.count - 1 }

  func execute(_ commands: [JobCommand]) async throws(JobError) -> [Result<JobReply, JobError>] {
    let moment = vfs.count
    let results = try await store.execute(commands)
    begun.append(moment)
    states.append(try! reader!.state())  // A test: nothing that could be done about it.
    return results
  }

  /// What is committed is acknowledged when this returns.
  func sync() async throws(JobError) {
    let count = transactions
    try await store.sync()
    promises.append((vfs.count, count))
  }

  /// As `sync`, with what `body` does while the disk is busy: for a store that waits for it elsewhere.
  func sync(meanwhile body: () async throws -> Void) async throws {
    let count = transactions
    let hold = HeldSync()
    vfs.begin(hold)
    let syncing = Task { [store] () async -> Result<Void, JobError> in
      defer { hold.giveUp() }
      do throws(JobError) { return .success(try await store.sync()) } catch { return .failure(error) }
    }
    await hold.hasBegun()
    // When there was nothing to sync, no other sync may be stopped in its place: nobody would release it.
    vfs.endHold()
    do {
      try await body()
    } catch {
      hold.release()
      _ = await syncing.value
      throw error
    }
    hold.release()
    try await syncing.value.get()
    promises.append((vfs.count, count))
  }

  /// The states that a power cut at a moment may leave: nothing acknowledged is missing, nothing is half done.
  func allowed(at moment: Int) -> ClosedRange<Int> {
    let promised = promises.last { $0.moment <= moment }?.transactions ?? 0
    let begun = begun.lastIndex { $0 < moment }.map { $0 + 1 } ?? 0
    // One that changed nothing is promised as soon as it begins.
    return promised...max(promised, begun)
  }

  /// What the database holds now.
  func state() throws -> StoreState? { try reader?.state() }

  func close() async {
    // A reader that stays would keep the store from removing its log.
    reader = nil
    await store.close()
  }
}

/// A clock that a test moves.
final class Clock: Sendable {
  private let milliseconds = Atomic<Int64>(1_700_000_000_000)

  var now: Timestamp { Timestamp(milliseconds: milliseconds.load(ordering: .relaxed)) }

  func advance() { milliseconds.add(17, ordering: .relaxed) }

  func set(_ now: Timestamp) { milliseconds.store(now.milliseconds, ordering: .relaxed) }
}

extension OpenOptions {
  /// As a broker would, but with nothing left to chance.
  ///
  /// - Parameter waitsElsewhere: Whether the store's thread goes on during a sync, as under load or with a slow disk.
  static func tested(
    _ path: String, vfs: FaultVFS, clock: Clock = Clock(), durability: Durability = .full,
    checkpointFrames: Int32 = 2000, waitsElsewhere: Bool = false
  ) -> OpenOptions {
    OpenOptions(
      path: path, durability: durability, retryPolicy: .init(), clock: { clock.now }, random: { 0.5 },
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, vfs: vfs.name,
      checkpointFrames: checkpointFrames, waitsElsewhere: waitsElsewhere)
  }
}
