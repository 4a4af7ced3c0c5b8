import Foundation
import JobModel
import JobStore
import Logging
import Testing
import TestSupport

@testable import SQLiteJobStore

/// A file system of a few MiB, in memory. Only root can have one.
@Suite(.enabled(if: SmallDisk.isAvailable, "mounting a tmpfs needs root"))
struct DiskFullTests {
  private let disk: SmallDisk

  init() throws { disk = try SmallDisk(megabytes: 48) }

  @Test func `a full disk refuses new jobs while those there are can be finished`() async throws {
    let store = try await SQLiteJobStore.open(path: disk.path + "/jobs.db")
    var ids: [JobID] = []
    var refusal: JobError?
    while refusal == nil, ids.count < 1_000 {
      let new = NewJob(type: "ingest", metadata: Self.large)
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

    try disk.resize(megabytes: 96)
    try await store.create(NewJob(type: "ingest"))
    await store.close()
    #expect(
      try Connection(path: disk.path + "/jobs.db").integer("SELECT count(*) FROM jobs")
        == Int64(ids.count + 1))
  }

  /// Small jobs have the worst of it: to finish one touches as many pages as a large one, and the log would fill the
  /// reserve many times over.
  @Test func `ten thousand jobs can be finished on a disk that others have filled`() async throws {
    let store = try await SQLiteJobStore.open(path: disk.path + "/jobs.db")
    let count = 10_000
    for _ in 0..<count / 500 {
      _ = try await store.commit(.create((0..<500).map { _ in NewJob(type: "ingest") }))
    }
    try disk.fill()
    #expect(await refusal { try await store.create(NewJob(type: "ingest")) } == .resourceExhausted)
    var finished = 0
    while case .claimed(let jobs) = try await store.commit(Self.claim), !jobs.isEmpty {
      let ends = jobs.map { job in
        JobCommand.complete(job.id, attempt: job.attempt, result: #"{"samples":123456789,"peak":-0.3}"#)
      }
      for result in try await store.commit(ends) { _ = try result.get() }
      finished += jobs.count
    }
    #expect(finished == count)
    #expect(await store.stats().first?.counts[.complete] == count)
    await store.close()
  }

  @Test func `large jobs that are refused do not stop those beside them from being finished`() async throws {
    let store = try await SQLiteJobStore.open(path: disk.path + "/jobs.db")
    let ids = (0..<20).map { _ in JobID.timeOrdered() }
    _ = try await store.commit(.create(ids.map { NewJob(id: $0, type: "ingest") }))
    try disk.fill()
    let metadata = #"{"x":"\#(String(repeating: "x", count: 300_000))"}"#
    let creates = (0..<128).map { _ in JobCommand.create([NewJob(type: "ingest", metadata: metadata)]) }
    for id in ids {
      let results = try await store.commit(creates + [.complete(id, attempt: nil, result: "{}")])
      #expect(results.count { (try? $0.get()) == nil } == creates.count)
      #expect(throws: Never.self) { try results[creates.count].get() }
    }
    await store.close()
  }

  @Test func `a store that was closed opens on a full disk, in the room that was in reserve`() async throws {
    let path = disk.path + "/jobs.db"
    let first = try await SQLiteJobStore.open(path: path)
    let job = try await first.create(NewJob(type: "ingest"))
    await first.close()
    try disk.fill()
    let second = try await SQLiteJobStore.open(path: path)
    try await second.complete(job.id, result: "{}")
    #expect(await refusal { try await second.create(NewJob(type: "ingest")) } == .resourceExhausted)
    await second.close()
  }

  @Test func `a start that fails for another reason leaves the reserve where it is`() async throws {
    let path = disk.path + "/jobs.db"
    await (try await SQLiteJobStore.open(path: path)).close()
    let other = try Connection(path: path)
    try other.run("BEGIN IMMEDIATE")
    try disk.fill()
    let options = OpenOptions(
      path: path, durability: .full, retryPolicy: RetryPolicy(), clock: { .now }, random: { 0.5 },
      logger: Logger(label: "test"), patience: .zero)
    #expect(await refusal { _ = try await SQLiteJobStore.open(options) } == .unavailable)
    #expect(PrivateFile.size(of: path + "-reserve") == DiskReserve.size)
    try other.run("COMMIT")
  }

  /// SQLite makes the index of the log longer when a transaction is in the log already.
  @Test func `a log that is written in its own place has an index, however full the disk`() async throws {
    try disk.resize(megabytes: 128)
    let (path, copy) = (disk.path + "/jobs.db", disk.path + "/copy.db")
    let store = try await SQLiteJobStore.open(path: path)
    let ids = (0..<3_000).map { _ in JobID.timeOrdered() }
    let parts = stride(from: 0, to: ids.count, by: 500).map { ids[$0..<$0 + 500] }
    for part in parts { _ = try await store.commit(.create(part.map { NewJob(id: $0, type: "ingest") })) }
    func update() async throws {
      for part in parts {
        _ = try await store.commit(part.map { .update($0, attempt: nil, JobUpdate(progress: 1)) })
      }
    }
    do {
      let reader = try Connection(path: path, readOnly: true)
      try reader.run("BEGIN; SELECT count(*) FROM jobs")
      while PrivateFile.size(of: path + "-wal") < 20 << 20 { try await update() }
      withExtendedLifetime(reader) {}
    }
    // It begins anew, in a file that stays as long; then the broker is killed, and its index is gone.
    for _ in 0..<20 { try await update() }
    let length = PrivateFile.size(of: path + "-wal")
    try await update()
    #expect(PrivateFile.size(of: path + "-wal") == length)
    for suffix in ["", "-wal"] {
      try FileManager.default.copyItem(atPath: path + suffix, toPath: copy + suffix)
    }
    await store.close()

    let successor = try await SQLiteJobStore.open(path: copy)
    try disk.fill()
    let reader = try Connection(path: copy, readOnly: true)
    try reader.run("BEGIN; SELECT count(*) FROM jobs")
    let observer = try Connection(path: copy)
    #expect(try observer.integer("SELECT count(*) FROM jobs") == Int64(ids.count))
    var cancelled = 0
    let index = try LogIndex(observer)
    while try index.frames() < 4_500, cancelled < ids.count {
      try await successor.cancel(ids[cancelled])
      cancelled += 1
    }
    #expect(try index.frames() >= 4_500)
    #expect(await successor.stats().first?.counts[.cancelled] == cancelled)
    withExtendedLifetime(reader) {}
    await successor.close()
  }

  @Test func `when the reserve is used up, deleting makes room to finish`() async throws {
    let store = try await SQLiteJobStore.open(path: disk.path + "/jobs.db")
    let ids = (0..<400).map { _ in JobID.timeOrdered() }
    _ = try await store.commit(.create(ids.map { NewJob(id: $0, type: "ingest") }))
    try disk.fill()
    var finished = 0
    func finish() async throws { try await store.complete(ids[finished], result: Self.large) }
    let code = await refusal {
      while true {
        try await finish()
        finished += 1
      }
    }
    #expect(code == .unavailable && finished > 100 && finished < 200, "\(finished)")
    #expect(await refusal { try await store.create(NewJob(type: "ingest")) } == .resourceExhausted)
    for id in ids[..<finished] { _ = try await store.commit(.delete(id)) }
    try await finish()
    #expect(try await store.get(ids[finished])?.result == Self.large)
    await store.close()
  }

  @Test func `a reader that stays uses the reserve up, and finishing goes on when it is gone`() async throws {
    let store = try await SQLiteJobStore.open(path: disk.path + "/jobs.db")
    let ids = (0..<20_000).map { _ in JobID.timeOrdered() }
    for start in stride(from: 0, to: ids.count, by: 500) {
      _ = try await store.commit(.create(ids[start..<start + 500].map { NewJob(id: $0, type: "ingest") }))
    }
    try disk.fill()
    var finished = 0
    do {
      let reader = try Connection(path: disk.path + "/jobs.db", readOnly: true)
      try reader.run("BEGIN; SELECT count(*) FROM jobs")
      let code = await refusal {
        while true {
          try await store.complete(ids[finished])
          finished += 1
        }
      }
      #expect(code == .unavailable && finished > 100)
      withExtendedLifetime(reader) {}
    }
    for id in ids[finished..<finished + 2_000] { try await store.complete(id) }
    await store.close()
    let database = try Connection(path: disk.path + "/jobs.db")
    #expect(
      try database.integer("SELECT count(*) FROM jobs WHERE status = 'complete'") == Int64(finished + 2_000))
    #expect(try database.text("PRAGMA integrity_check") == "ok")
  }

  @Test func `what was deleted is room for new jobs`() async throws {
    let store = try await SQLiteJobStore.open(path: disk.path + "/jobs.db")
    var ids: [JobID] = []
    func fill() async throws {
      ids = []
      let code = await refusal {
        while ids.count < 1_000 {
          let new = NewJob(type: "ingest", metadata: Self.large)
          try await store.create(new)
          ids.append(new.id)
        }
      }
      #expect(code == .resourceExhausted && ids.count > 50, "\(ids.count)")
    }
    for _ in 0..<3 {
      try await fill()
      for id in ids { try await store.complete(id, result: "{}") }
      for id in ids { _ = try await store.commit(.delete(id)) }
    }
    await store.close()
  }

  private static let large = #"{"a":""# + String(repeating: "x", count: 100_000) + #""}"#
  private static let claim = JobCommand.claim(
    types: [], maxJobs: 20, lease: .seconds(30), worker: WorkerIdentity(name: "worker", pid: 1, uid: 1))

  /// How something is refused that must be in the end.
  private func refusal(_ body: () async throws -> Void) async -> JobError.Code? {
    do { try await body() } catch { return (error as? JobError)?.code }
    return nil
  }
}

/// A tmpfs that is unmounted when the test lets go of it.
private final class SmallDisk: Sendable {
  private let directory = TemporaryDirectory()
  var path: String { directory.file("disk") }

  static let isAvailable = (try? SmallDisk(megabytes: 1)) != nil

  init(megabytes: Int) throws {
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    guard mount("tmpfs", path, "tmpfs", 0, "size=\(megabytes)m") == 0 else { throw POSIXError(.EPERM) }
  }

  deinit { umount2(path, Int32(MNT_DETACH)) }

  /// Leaves no room on it.
  func fill() throws {
    let file = open(path + "/filler", O_WRONLY | O_CREAT, 0o600)
    try #require(file >= 0)
    defer { close(file) }
    let page = [UInt8](repeating: 1, count: 4096)
    while write(file, page, page.count) > 0 {}
    #expect(errno == ENOSPC)
  }

  func resize(megabytes: Int) throws {
    guard mount("tmpfs", path, "tmpfs", UInt(MS_REMOUNT), "size=\(megabytes)m") == 0 else {
      throw POSIXError(.EPERM)
    }
  }
}
