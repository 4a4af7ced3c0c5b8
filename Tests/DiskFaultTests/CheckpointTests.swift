import CFaultVFS
import JobModel
import TestSupport
import Testing

/// When the log is moved into the database.
@Suite struct CheckpointTests {
  /// Should the sync fail, what a checkpoint reads back of the log may not be what was written to it.
  @Test func `a checkpoint waits for the sync that is under way`() async throws {
    let directory = TemporaryDirectory()
    let vfs = FaultVFS()
    let session = try await Session(
      in: directory, on: vfs, clock: Clock(), checkpointFrames: 8, waitsElsewhere: true)
    func writes() -> Int {
      let database = vfs.log.first { $0.kind == FAULT_VFS_OPEN && String(cString: $0.name) == "jobs.db" }
      return vfs.log.count { $0.kind == FAULT_VFS_WRITE && $0.file == database?.file }
    }
    let create = { JobCommand.create([NewJob(type: "ingest")]) }
    _ = try await session.execute([create()])
    let before = writes()
    try await session.sync {
      for _ in 0..<20 { _ = try await session.execute([create()]) }
      #expect(writes() == before)
    }
    #expect(writes() > before)
    await session.close()
  }
}
