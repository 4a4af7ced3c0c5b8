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
    var random = SeededRandom(seed: 1)
    var cut = PowerCut(vfs.log, at: vfs.count, survival: survival, random: &random)
    let after = TemporaryDirectory()
    try after.write(cut.image())
    let found = try await Restart.found(in: after)
    #expect(found.integrity == "ok")
    #expect(found.state.jobs.count == 3)
    #expect(try await store.get(job.id) != nil)
    await store.close()
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
