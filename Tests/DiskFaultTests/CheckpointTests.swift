import CFaultVFS
import CSQLite
import JobModel
import TestSupport
import Testing

/// When the log is moved into the database.
@Suite struct CheckpointTests {
  /// The system tells of a failed sync once. A sync that the checkpoint makes itself must not be told that all is well,
  /// for what it reads back of the log may not be what was written.
  @Test func `no checkpoint copies from a log whose sync has failed on another thread`() async throws {
    let directory = TemporaryDirectory()
    let vfs = FaultVFS()
    let session = try await Session(
      in: directory, on: vfs, clock: Clock(), checkpointFrames: 8, waitsElsewhere: true)
    let (store, create) = (session.store, { JobCommand.create([NewJob(type: "ingest")]) })
    func writes() -> Int {
      let database = vfs.log.first { $0.kind == FAULT_VFS_OPEN && String(cString: $0.name) == "jobs.db" }
      return vfs.log.count { $0.kind == FAULT_VFS_WRITE && $0.file == database?.file }
    }
    _ = try await session.execute([create()])
    let (before, logged) = (writes(), vfs.count)
    vfs.begin(Fault(kind: FAULT_VFS_SYNC, code: SQLITE_IOERR | 4 << 8, isPersistent: false))
    var transaction: Task<Void, any Error>?
    await #expect(throws: JobError.self) {
      try await session.sync {
        let enough = (0..<50).map { _ in create() }
        transaction = Task { _ = try await store.execute(enough) }
        // It has come to its COMMIT, and goes on to the checkpoint.
        while vfs.count == logged { await Task.yield() }
      }
    }
    _ = await transaction?.result
    #expect(writes() == before)
    #expect(vfs.failures == 1)
    await session.close()
  }
}
