import Foundation
import JobModel
import JobStore
import Testing

@testable import SQLiteJobStore

/// A file system of a few MiB, in memory. Only root can have one.
@Suite(.enabled(if: SmallDisk.isAvailable, "mounting a tmpfs needs root"))
struct DiskFullTests {
  private let directory: TemporaryDirectory
  private let disk: SmallDisk

  init() throws {
    directory = try TemporaryDirectory()
    disk = try SmallDisk(at: directory / "disk", megabytes: 16)
  }

  @Test func `a full disk refuses new jobs while those there are can be finished`() async throws {
    let store = try await SQLiteJobStore.open(path: disk.path + "/jobs.db")
    let metadata = #"{"a":""# + String(repeating: "x", count: 100_000) + #""}"#
    var ids: [JobID] = []
    var refusal: JobError?
    while refusal == nil, ids.count < 1000 {
      let new = NewJob(type: "ingest", metadata: metadata)
      do {
        try await store.create(new)
        ids.append(new.id)
      } catch { refusal = error }
    }
    #expect(refusal?.code == .resourceExhausted)
    #expect(ids.count > 10)

    let claimed = try #require(try await store.claimNextPending())
    #expect(claimed.id == ids[0])
    try await store.complete(claimed.id, attempt: 1, result: "{}")
    let results = try await store.commit([.create([NewJob(type: "ingest")]), .cancel(ids[1])])
    #expect(throws: JobError.self) { try results[0].get() }
    #expect(throws: Never.self) { try results[1].get() }
    #expect(try await store.get(ids[1])?.status == .cancelled)
    #expect(await store.stats().first?.counts[.pending] == ids.count - 2)

    try disk.resize(megabytes: 64)
    try await store.create(NewJob(type: "ingest"))
    await store.close()
    #expect(
      try Connection(path: disk.path + "/jobs.db").integer("SELECT count(*) FROM jobs")
        == Int64(ids.count + 1))
  }
}

/// A tmpfs that is unmounted when the test lets go of it.
private final class SmallDisk: Sendable {
  let path: String

  static let isAvailable: Bool = {
    guard let directory = try? TemporaryDirectory() else { return false }
    return (try? SmallDisk(at: directory / "probe", megabytes: 1)) != nil
  }()

  init(at path: String, megabytes: Int) throws {
    self.path = path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    guard mount("tmpfs", path, "tmpfs", 0, "size=\(megabytes)m") == 0 else { throw POSIXError(.EPERM) }
  }

  deinit { umount2(path, Int32(MNT_DETACH)) }

  func resize(megabytes: Int) throws {
    guard mount("tmpfs", path, "tmpfs", UInt(MS_REMOUNT), "size=\(megabytes)m") == 0 else {
      throw POSIXError(.EPERM)
    }
  }
}
