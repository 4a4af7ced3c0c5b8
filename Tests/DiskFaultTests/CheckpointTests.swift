import CFaultVFS
import CSQLite
import TestSupport
import Testing

@testable import SQLiteJobStore

/// When the log may be moved into the database.
@Suite struct CheckpointTests {
  /// The system tells of a failed sync once. The sync that a checkpoint begins with must not be told that all is well, for
  /// what it reads back of the log may not be what was written.
  @Test func `no checkpoint copies from a log whose sync has failed`() throws {
    let directory = TemporaryDirectory()
    let vfs = FaultVFS()
    defer { withExtendedLifetime(vfs) {} }
    let connection = try Connection(path: directory.database, vfs: vfs.name)
    try connection.run("PRAGMA journal_mode = WAL; CREATE TABLE t (a)")
    let log = try LogFile(connection)
    try connection.gatherLogWrites()
    try connection.run("PRAGMA wal_checkpoint; INSERT INTO t VALUES (1)")
    let database = try #require(
      vfs.log.first { $0.kind == FAULT_VFS_OPEN && String(cString: $0.name) == "jobs.db" })
    func writes() -> Int { vfs.log.count { $0.kind == FAULT_VFS_WRITE && $0.file == database.file } }
    let before = writes()
    #expect(before > 0)

    vfs.begin(Fault(kind: FAULT_VFS_SYNC, code: SQLITE_IOERR | 4 << 8, isPersistent: false))
    #expect(log.sync().code != SQLITE_OK)
    #expect(log.sync().code != SQLITE_OK)
    #expect(throws: SQLiteError.self) { try connection.run("PRAGMA wal_checkpoint") }
    #expect(writes() == before)
    #expect(vfs.failures == 1)
  }
}
