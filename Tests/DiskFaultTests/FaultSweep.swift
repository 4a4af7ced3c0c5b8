import JobModel
import TestSupport
import TrustSupport

@testable import SQLiteJobStore

/// Lives of a store in which the n-th call of a kind fails, for one n after another until a life has no such call.
/// After each, what is on the disk is opened with nothing failing any more, and judged.
struct FaultSweep {
  /// What it came to.
  struct Tally {
    var lives = 0
    /// Transactions that were acknowledged.
    var acknowledged = 0
    /// Transactions, syncs and openings that ended with an error, and commands that were refused.
    var errors = 0
    var violations: [String] = []
  }

  /// What one life did, as far as anybody outside of the store was told.
  private struct History {
    typealias Transaction = (commands: [JobCommand], now: Timestamp)
    /// What was run and, in the end, perhaps one of which nobody knows whether it was.
    var transactions: [Transaction] = []
    /// How many of them were acknowledged.
    var promised = 0
  }

  private static let transactions = 16
  private static let checkpointFrames: Int32 = 40

  /// Takes a failed sync for a success, to see that it is noticed.
  var believesFailedSyncs = false
  private(set) var tally = Tally()

  /// - Parameters:
  ///   - image: What the store finds.
  ///   - next: Which call fails after the n-th did.
  mutating func run(
    _ kind: Fault, on image: DiskImage, seed: UInt64, next: (Int) -> Int
  ) async throws {
    var fault = kind
    while try await live(with: fault, on: image, seed: seed) { fault.nth = next(fault.nth) }
  }

  /// One life. Whether a call failed in it.
  private mutating func live(with fault: Fault, on image: DiskImage, seed: UInt64) async throws -> Bool {
    let directory = TemporaryDirectory()
    try directory.write(image)
    let vfs = FaultVFS()
    defer { withExtendedLifetime(vfs) {} }
    let clock = Clock()
    vfs.begin(fault)
    var history = History()
    do throws(JobError) {
      let store = try await SQLiteJobStore.open(
        .tested(directory.database, vfs: vfs, clock: clock, checkpointFrames: Self.checkpointFrames))
      history = await work(on: store, clock, seed: seed)
      await store.close()
    } catch { note(error, fault) }
    tally.lives += 1
    tally.acknowledged += history.promised
    let allowed = try await Self.states(of: history, on: image)
    if let violation = await Restart.judge(directory, allowed: allowed[history.promised...]) {
      tally.violations.append("\(fault): \(violation)")
    }
    return vfs.failures > 0
  }

  private mutating func work(on store: SQLiteJobStore, _ clock: Clock, seed: UInt64) async -> History {
    var history = History()
    var load = Load(random: SeededRandom(seed: seed), jobs: (try? await store.list(limit: 1000)) ?? [])
    for _ in 0..<Self.transactions {
      clock.advance()
      let commands = load.commands(at: clock.now)
      do throws(JobError) {
        let results = try await store.execute(commands)
        load.learn(results)
        let refused = results.map {
          if case .failure(let error) = $0 {
            [.resourceExhausted, .unavailable].contains(error.code)
          } else {
            false
          }
        }
        tally.errors += refused.count { $0 }
        history.transactions.append((zip(commands, refused).filter { !$1 }.map(\.0), clock.now))
      } catch {
        note(error, nil)
        guard error.code == .unknownOutcome else { continue }
        history.transactions.append((commands, clock.now))
        break
      }
      do throws(JobError) { try await store.sync() } catch {
        note(error, nil)
        if !believesFailedSyncs { break }
      }
      history.promised = history.transactions.count
    }
    return history
  }

  /// An error must say what happened, with a code that tells the caller what to do.
  private mutating func note(_ error: JobError, _ fault: Fault?) {
    tally.errors += 1
    switch error.code {
    case .unknownOutcome, .unavailable, .resourceExhausted,
      .internal where error.message.count > 20:
      break
    default: tally.violations.append("\(fault.map { "\($0)" } ?? "a fault") was told as \(error)")
    }
  }

  /// The state before the first transaction and after each, had nothing failed: the same transactions again, on a
  /// store that is whole.
  private static func states(of history: History, on image: DiskImage) async throws -> [StoreState] {
    let directory = TemporaryDirectory()
    try directory.write(image)
    let clock = Clock()
    let vfs = FaultVFS()
    defer { withExtendedLifetime(vfs) {} }
    let store = try await SQLiteJobStore.open(.tested(directory.database, vfs: vfs, clock: clock))
    var states: [StoreState] = []
    do {
      let reader = try StateReader(directory.database)
      states.append(try reader.state())
      for transaction in history.transactions {
        clock.set(transaction.now)
        _ = try await store.execute(transaction.commands)
        states.append(try reader.state())
      }
    }
    await store.close()
    return states
  }
}
