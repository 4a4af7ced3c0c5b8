import CFaultVFS
import CSQLite
import JobModel
import TestSupport
import TrustSupport

@testable import SQLiteJobStore

/// Stores under a mixed load, cut off at any moment; every image that may leave is opened and judged.
struct Campaign {
  /// What the store or its disk leave out, to see that it is noticed.
  enum Omission: CaseIterable {
    /// The store never syncs its log.
    case ourSync
    /// The disk says that it has synced the log, but has not.
    case logSync
    /// The disk says that it has synced the database, but has not.
    case databaseSync
  }

  /// What it came to.
  struct Tally {
    var images = 0
    var acknowledgedCreates = 0
    var acknowledgedFinishes = 0
    var checkpoints = 0
    var violations: [String] = []
  }

  var omission: Omission?
  /// One life of a store after another, each on what a power cut left of the one before.
  private static let lives = 2
  private static let transactions = 45
  private static let imagesPerLife = 20

  private(set) var tally = Tally()

  init(omitting omission: Omission? = nil) { self.omission = omission }

  /// Runs one seed.
  mutating func run(seed: UInt64) async throws {
    var random = SeededRandom(seed: seed)
    let clock = Clock()
    var remains: DiskImage = [:]
    for life in 0..<Self.lives {
      let directory = TemporaryDirectory()
      try directory.write(remains)
      let vfs = FaultVFS()
      switch omission {
      case .logSync: vfs.ignoreSyncs(of: SQLITE_OPEN_WAL)
      case .databaseSync: vfs.ignoreSyncs(of: SQLITE_OPEN_MAIN_DB)
      case .ourSync, nil: break
      }
      let waitsElsewhere = random.chance(50)
      let session = try await Session(
        in: directory, on: vfs, clock: clock, durability: omission == .ourSync ? .relaxed : .full,
        checkpointFrames: Int32(20 + random.below(120)), waitsElsewhere: waitsElsewhere)
      try await Self.work(session, clock, overlapping: waitsElsewhere, &random)
      await session.close()
      remains = try await cut(session, "seed \(seed), life \(life)", &random)
    }
  }

  /// - Parameter overlapping: Whether transactions are made during syncs.
  private static func work(
    _ session: Session, _ clock: Clock, overlapping: Bool, _ random: inout SeededRandom
  ) async throws {
    var load = Load(
      random: SeededRandom(seed: random.next()), jobs: try await session.store.list(limit: 1000))
    func transaction() async throws {
      clock.advance()
      load.learn(try await session.execute(load.commands(at: clock.now)))
    }
    while session.transactions < transactions {
      try await transaction()
      switch random.below(10) {
      case ..<5: try await session.sync()
      case ..<8 where overlapping:
        let more = random.below(3)
        try await session.sync { for _ in 0..<more { try await transaction() } }
      default: break
      }
    }
  }

  /// Judges images of a life; returns one of them.
  private mutating func cut(
    _ session: Session, _ life: String, _ random: inout SeededRandom
  ) async throws -> DiskImage {
    let log = session.vfs.log
    var image: DiskImage = [:]
    for _ in 0..<Self.imagesPerLife {
      var moment = random.below(log.count + 1)
      // The moments right after a promise are those that find it broken.
      if random.chance(50) { moment = session.promises[random.below(session.promises.count)].moment }
      var powerCut = PowerCut(log, at: moment, random: &random)
      image = powerCut.image()
      let allowed = session.states[session.allowed(at: moment)]
      let remains = TemporaryDirectory()
      try remains.write(image)
      if let violation = await Restart.judge(remains, allowed: allowed) {
        tally.violations.append("\(life), cut at \(moment) of \(log.count): \(violation)")
      }
      tally.images += 1
      let promised = allowed[allowed.startIndex].jobs.values
      tally.acknowledgedCreates += promised.count
      tally.acknowledgedFinishes += promised.count { $0.status.isFinished }
    }
    let database = log.first { $0.name.map { String(cString: $0) } == "jobs.db" }?.file
    tally.checkpoints += log.count { $0.kind == FAULT_VFS_SYNC && $0.file == database }
    return image
  }
}
