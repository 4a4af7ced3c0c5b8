import CFaultVFS
import CSQLite
import JobModel
import Testing
import TestSupport
import TrustSupport

@testable import SQLiteJobStore

/// What the next broker makes of a log whose sync has failed.
@Suite struct FailedSyncTests {
  private let directory = TemporaryDirectory()
  private let vfs = FaultVFS()

  /// A store whose second sync has failed; what it was about can still be read.
  private func failedStore() async throws -> SQLiteJobStore {
    vfs.keepUnsynced()
    let store = try await SQLiteJobStore.open(.tested(directory.database, vfs: vfs))
    _ = try await store.create(NewJob(type: "t"))
    vfs.begin(Fault(kind: FAULT_VFS_SYNC, code: SQLITE_IOERR | 4 << 8, isPersistent: false))
    await #expect(throws: JobError.self) {
      try await store.create(NewJob(type: "t", metadata: #"{"a":"as written"}"#))
    }
    return store
  }

  /// The system can't be relied on to write again what it could not write before.
  @Test(arguments: PowerCut.Survival.allCases)
  func `what is acknowledged after a restart does not rest on what was lost before`(
    survival: PowerCut.Survival
  ) async throws {
    try await failedStore().close()
    let store = try await SQLiteJobStore.open(.tested(directory.database, vfs: vfs))
    let job = try await store.create(NewJob(type: "t"))
    try await expectJobs(3, afterPowerCut: survival)
    #expect(try await store.get(job.id) != nil)
    await store.close()
  }

  private func expectJobs(_ count: Int, afterPowerCut survival: PowerCut.Survival) async throws {
    var random = SeededRandom(seed: 1)
    var cut = PowerCut(vfs.log, at: vfs.count, survival: survival, random: &random)
    let after = TemporaryDirectory()
    try after.write(cut.image())
    let found = try await Restart.found(in: after)
    #expect(found.integrity == "ok")
    #expect(found.state.jobs.count == count)
  }

  /// Who has the database open keeps the index of the log, so that SQLite does not look at the log's checksums.
  @Test func `a log of which a part was lost is refused while somebody has the database open`() async throws {
    let reader: Connection
    do {
      let store = try await failedStore()
      reader = try Connection(path: directory.database, readOnly: true)
      #expect(try reader.integer("SELECT count(*) FROM jobs") == 2)
      await store.close()
    }
    try directory.loseWrite()
    let error = await #expect(throws: JobError.self) {
      _ = try await SQLiteJobStore.open(.tested(directory.database, vfs: vfs))
    }
    #expect(error?.message.contains("close all programs that have it open") == true)
    withExtendedLifetime(reader) {}
  }

  /// SQLite syncs the database only when a checkpoint has copied the whole log, and remembers in the index what one has
  /// copied that readers held up.
  @Test(arguments: PowerCut.Survival.allCases)
  func `what was copied to the database before a failed sync is copied again`(
    survival: PowerCut.Survival
  ) async throws {
    vfs.keepUnsynced()
    let options = OpenOptions.tested(directory.database, vfs: vfs, checkpointFrames: 1)
    let first = try await SQLiteJobStore.open(options)
    let (older, newer) = (try standingReader(), try Connection(path: directory.database, readOnly: true))
    _ = try await first.create(
      NewJob(type: "t", metadata: #"{"a":"\#(String(repeating: "x", count: 50_000))"}"#))
    try newer.run(Self.beginReading)
    try older.run("COMMIT")
    _ = try await first.create(NewJob(type: "t"))
    try newer.run("COMMIT")
    // A checkpoint syncs the log, and at its end the database.
    vfs.begin(Fault(kind: FAULT_VFS_SYNC, code: SQLITE_IOERR | 4 << 8, nth: 2, isPersistent: false))
    await #expect(throws: JobError.self) { try await first.create(NewJob(type: "t")) }
    await first.close()

    let second = try await SQLiteJobStore.open(options)
    // The log is moved, and begins anew.
    for _ in 0..<2 { _ = try await second.create(NewJob(type: "t")) }
    try await expectJobs(5, afterPowerCut: survival)
    await second.close()
  }

  /// It reads the database without the log, and is the first that has to begin with it.
  @Test func `who has been reading since all was in the database may write after a restart`() async throws {
    let options = OpenOptions.tested(directory.database, vfs: vfs, checkpointFrames: 1)
    let first = try await SQLiteJobStore.open(options)
    _ = try await first.create(NewJob(type: "t"))
    let other = try Connection(path: directory.database)
    try other.run(Self.beginReading)
    await first.close()
    let second = try await SQLiteJobStore.open(options)
    try other.run("UPDATE jobs SET progress = 50; COMMIT")
    let job = try await second.create(NewJob(type: "t"))
    #expect(try await second.list().map(\.progress) == [0, 50])
    #expect(try other.text("PRAGMA integrity_check") == "ok")
    #expect(try await second.get(job.id) != nil)
    await second.close()
  }

  @Test func `a log is not taken over while somebody makes a checkpoint, who may write meanwhile`()
    async throws
  {
    let store = try await SQLiteJobStore.open(.tested(directory.database, vfs: vfs))
    _ = try await store.create(NewJob(type: "t"))
    let other = try standingReader()
    await store.close()
    let successor = try Connection(path: directory.database)
    #expect(try successor.integer("SELECT count(*) FROM jobs") == 1)
    try LogIndex(other).withoutCheckpoints {
      let error = #expect(throws: SQLiteError.self) { try LogFile(successor, patience: .zero) }
      #expect(error?.isBusy == true)
      do throws(SQLiteError) { try Connection(path: directory.database).run("BEGIN IMMEDIATE; COMMIT") } catch
      {
        Issue.record(error)
      }
    }
    _ = try LogFile(successor, patience: .zero)
  }

  private static let beginReading = "BEGIN; SELECT count(*) FROM jobs"

  private func standingReader() throws -> Connection {
    let reader = try Connection(path: directory.database, readOnly: true)
    try reader.run(Self.beginReading)
    return reader
  }
}

extension TemporaryDirectory {
  /// Makes a page in the log what it was before: nothing is wrong with it but the checksum.
  fileprivate func loseWrite() throws {
    let log = try #require(read()["jobs.db-wal"])
    let (new, old) = (Array("as written".utf8), Array("as it was.".utf8))
    let places = log.indices.filter { log[$0...].starts(with: new) }
    #expect(!places.isEmpty)
    try write(["jobs.db-wal": places.reduce(into: log) { $0.replaceSubrange($1..<$1 + old.count, with: old) }]
    )
  }
}
