import CFaultVFS
import CSQLite
import Foundation
import Testing
import TestSupport
import TrustSupport

/// Lets calls of the store to its disk fail, one after another. `JOBBROKER_FAULTS_EVERY=1` lets every one fail;
/// otherwise the gaps grow.
@Suite(.serialized) struct FaultSweepTests {
  private static let seed = CampaignSize.seed("JOBBROKER_FAULTS_SEED", short: 1)
  private static let isFull = CampaignSize.number("JOBBROKER_FAULTS_EVERY", short: 0) == 1

  private static func next(_ nth: Int) -> Int { isFull ? nth + 1 : nth + 1 + nth / 2 }

  /// What SQLite's own VFS makes of EIO and of ENOSPC.
  private static let faults: [Fault] = [
    (FAULT_VFS_WRITE, SQLITE_IOERR | 3 << 8), (FAULT_VFS_WRITE, SQLITE_FULL),
    (FAULT_VFS_SYNC, SQLITE_IOERR | 4 << 8), (FAULT_VFS_OPEN, SQLITE_CANTOPEN),
    (FAULT_VFS_TRUNCATE, SQLITE_IOERR | 6 << 8), (FAULT_VFS_READ, SQLITE_IOERR | 1 << 8),
    (FAULT_VFS_DELETE, SQLITE_IOERR | 10 << 8),
  ].flatMap { kind, code in
    [false, true].map { Fault(kind: kind, code: code, isPersistent: $0) }
  }

  @Test func `a call that fails loses nothing that was acknowledged and is told as an error`() async throws {
    var sweep = FaultSweep()
    for image in [[:], try await Self.unfinishedStore()] {
      for fault in Self.faults {
        try await sweep.run(fault, on: image, seed: Self.seed, next: Self.next)
      }
    }
    let tally = sweep.tally
    CampaignOutcome(
      promise: "no acknowledgement is false when the disk fails",
      done: "the n-th write, sync, open, truncate, read, delete fails, once and from then on, EIO and ENOSPC",
      count:
        "\(tally.lives) lives, \(tally.acknowledged) transactions acknowledged, \(tally.errors) errors told",
      violations: tally.violations.count, seed: "\(Self.seed)"
    ).report()
    #expect(tally.violations.isEmpty, "\(tally.violations.prefix(10).joined(separator: "\n"))")
    #expect(tally.errors > 50)
    #expect(tally.acknowledged > 500)
  }

  @Test func `a failed sync that is taken for a success is noticed`() async throws {
    var sweep = FaultSweep(believesFailedSyncs: true)
    try await sweep.run(
      Fault(kind: FAULT_VFS_SYNC, code: SQLITE_IOERR | 4 << 8, isPersistent: true), on: [:], seed: Self.seed,
      next: Self.next)
    let isNoticed = !sweep.tally.violations.isEmpty
    CampaignOutcome(
      promise: "(control) a false acknowledgement is noticed", done: "a failed sync is taken for a success",
      count: "\(sweep.tally.lives) lives", violations: isNoticed ? 0 : 1, seed: "\(Self.seed)"
    ).report()
    #expect(isNoticed)
  }

  /// The files of a store that was killed with jobs in it and transactions in its log.
  private static func unfinishedStore() async throws -> DiskImage {
    let directory = TemporaryDirectory()
    let session = try await Session(
      in: directory, on: FaultVFS(), clock: Clock(), checkpointFrames: 1000, waitsElsewhere: false)
    var load = Load(random: SeededRandom(seed: seed + 1), jobs: [])
    for _ in 0..<20 { load.learn(try await session.execute(load.commands(at: Clock().now))) }
    try await session.sync()
    let image = try directory.read()
    await session.close()
    return image
  }
}
