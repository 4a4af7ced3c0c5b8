import Foundation
import JobModel
import JobStore
import Logging
import Testing
import TestSupport

@testable import SQLiteJobStore

@Suite struct OpeningTests {
  private let directory = TemporaryDirectory()
  private var path: String { directory.file("state/jobs.db") }

  @Test func `a new database is its owner's alone`() async throws {
    let store = try await SQLiteJobStore.open(path: path)
    _ = try await store.create(NewJob(type: "ingest"))
    #expect(try mode(directory.file("state")) == 0o700)
    for suffix in ["", "-wal", "-shm", "-lock", "-reserve"] { #expect(try mode(path + suffix) == 0o600) }
    #expect(store.name == "sqlite:\(path)")
    await store.close()
  }

  @Test func `a closed store leaves all in one file`() async throws {
    let store = try await SQLiteJobStore.open(path: path)
    let job = try await store.create(NewJob(type: "ingest"))
    await store.close()
    #expect(!FileManager.default.fileExists(atPath: path + "-wal"))
    let database = try Connection(path: path)
    #expect(try database.integer("SELECT count(*) FROM jobs") == 1)
    #expect(try database.text("SELECT jobId FROM audio_prep_jobs") == job.id.description)
    #expect(try database.integer("PRAGMA application_id") == JobSchema.applicationID)
    #expect(try database.integer("PRAGMA user_version") == Int64(JobSchema.version))
  }

  /// SQLite took as much before 3.42, and looks again at what a database holds when it is opened.
  @Test func `metadata may be nested two thousand levels deep`() async throws {
    func nested(_ levels: Int) -> String {
      String(repeating: #"{"a":"#, count: levels) + "1" + String(repeating: "}", count: levels)
    }
    let first = try await SQLiteJobStore.open(path: path)
    let job = try await first.create(NewJob(type: "ingest", metadata: nested(2000)))
    let error = await #expect(throws: JobError.self) {
      try await first.create(NewJob(type: "ingest", metadata: nested(2001)))
    }
    #expect(error?.code == .invalidArgument)
    await first.close()
    let second = try await SQLiteJobStore.open(path: path)
    #expect(try await second.get(job.id)?.metadata == nested(2000))
    await second.close()
  }

  @Test func `a reopened store has everything`() async throws {
    let clock: @Sendable () -> Timestamp = { Timestamp(milliseconds: 1_700_000_000_000) }
    let worker = WorkerIdentity(name: "w", pid: 1, uid: 2)
    let first = try await SQLiteJobStore.open(path: path, clock: clock)
    var ids: [JobID] = []
    for number in 0..<8 {
      let new = NewJob(
        type: number % 2 == 0 ? "ingest" : "save", metadata: #"{"n":\#(number)}"#,
        priority: Int32(number % 3),
        notBefore: number == 7 ? clock() + .seconds(60) : nil)
      ids.append(try await first.create(new).id)
    }
    _ = try await first.commit([
      .claim(types: [], maxJobs: 3, lease: .seconds(9), worker: worker), .pause(type: "save"),
      .cancel(ids[0]),
    ])
    let held = try await first.list(status: .processing)
    try await first.fail(held[0].id, attempt: 1, error: "e")
    try await first.complete(held[1].id, attempt: 1, result: "{}")
    let before = try await Contents(of: first, ids)
    await first.close()

    let second = try await SQLiteJobStore.open(path: path, clock: clock)
    #expect(try await Contents(of: second, ids) == before)
    #expect(before.recovery.held.map(\.job.id) == [held[2].id])
    #expect(before.recovery.pausedTypes == ["save"])
    #expect(before.recovery.nextDue == clock() + .seconds(60))
    let next = try await second.create(NewJob(type: "ingest"))
    #expect(next.sequence > before.jobs.compactMap { $0?.sequence }.max() ?? .max)
    await second.close()
  }

  @Test func `what was executed survives a process that ends without closing`() async throws {
    let store = try await SQLiteJobStore.open(path: path, durability: .relaxed)
    let job = try await store.create(NewJob(type: "ingest"))
    for suffix in ["", "-wal"] {
      try FileManager.default.copyItem(atPath: path + suffix, toPath: directory.file("copy.db\(suffix)"))
    }
    await store.close()
    let copy = try await SQLiteJobStore.open(path: directory.file("copy.db"))
    #expect(try await copy.get(job.id)?.outline == job)
    #expect(try await copy.position(job.id).overall == 0)
    await copy.close()
  }

  @Test func `a second broker is refused until the first has closed`() async throws {
    let store = try await SQLiteJobStore.open(path: path)
    let error = await #expect(throws: JobError.self) { try await SQLiteJobStore.open(path: path) }
    #expect(error?.code == .unavailable)
    #expect(error?.message.contains(path + "-lock") == true)
    await store.close()
    await (try await SQLiteJobStore.open(path: path)).close()
  }

  @Test func `a second broker is refused by whatever name it has the database`() async throws {
    let store = try await SQLiteJobStore.open(path: path)
    let link = directory.file("link.db")
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: path)
    let error = await #expect(throws: JobError.self) { try await SQLiteJobStore.open(path: link) }
    #expect(error?.code == .unavailable)
    await store.close()

    let second = try await SQLiteJobStore.open(path: link)
    #expect(second.name == "sqlite:\(path)")
    #expect(!FileManager.default.fileExists(atPath: link + "-lock"))
    await second.close()

    let other = directory.file("other.db")
    try FileManager.default.linkItem(atPath: path, toPath: other)
    for name in [path, other] {
      let error = await #expect(throws: JobError.self) { try await SQLiteJobStore.open(path: name) }
      #expect(error?.code == .invalidArgument)
    }
  }

  @Test func `opening waits as long as a transaction does for who is writing, and says so`() async throws {
    await (try await SQLiteJobStore.open(path: path)).close()
    let other = try Connection(path: path)
    try other.run("BEGIN IMMEDIATE")
    let error = await #expect(throws: JobError.self) {
      try await SQLiteJobStore.open(options(patience: .zero))
    }
    #expect(error?.code == .unavailable)
    #expect(error?.message.hasPrefix("Another process is writing to \(path)") == true)
    try other.run("COMMIT")
    await (try await SQLiteJobStore.open(options(patience: .zero))).close()
  }

  @Test func `what is no regular file is refused as that`() async throws {
    let pipe = directory.file("pipe")
    #expect(mkfifo(pipe, 0o600) == 0)
    for (path, kind) in [(directory.path, "a directory"), (pipe, "no regular file")] {
      let error = await #expect(throws: JobError.self) { try await SQLiteJobStore.open(path: path) }
      #expect(error?.code == .invalidArgument)
      #expect(error?.message.contains("\(path) is \(kind)") == true)
    }
  }

  /// A store that is being closed waits for none of the lists that wait for each other.
  @Test func `lists end when the store closes`() async throws {
    await (try await SQLiteJobStore.open(path: path)).close()
    let (thread, isHeld) = (DedicatedThread(), DispatchSemaphore(value: 0))
    let reader = try Reader(path: path, vfs: nil, thread: thread)
    let holding = Task(executorPreference: thread) { isHeld.wait() }
    let list = Task { try await reader.list(JobFilter()) }
    reader.interrupt()
    isHeld.signal()
    let error = await #expect(throws: JobError.self) { try await list.value }
    #expect(error?.code == .unavailable)
    await holding.value
    await reader.close()
  }

  @Test func `a closed store says so`() async throws {
    let store = try await SQLiteJobStore.open(path: path)
    await store.close()
    await #expect(throws: JobError.self) { try await store.get(.timeOrdered()) }
    await #expect(throws: JobError.self) { try await store.create(NewJob(type: "ingest")) }
  }

  @Test func `a damaged database is refused`() async throws {
    let store = try await SQLiteJobStore.open(path: path)
    _ = try await store.commit(.create((0..<100).map { _ in NewJob(type: "ingest") }))
    await store.close()
    let file = try #require(FileHandle(forUpdatingAtPath: path))
    let size = try file.seekToEnd()
    // Everything behind the schema, which the first pages hold.
    let intact: UInt64 = 4 * 4096
    try file.seek(toOffset: intact)
    try file.write(contentsOf: Data(repeating: 0x5A, count: Int(size - intact)))
    try file.close()
    let error = await #expect(throws: JobError.self) { try await SQLiteJobStore.open(path: path) }
    #expect(error?.code == .internal)
  }

  @Test func `a backup is a whole store, and never writes over a file`() async throws {
    let store = try await SQLiteJobStore.open(path: path)
    let job = try await store.create(NewJob(type: "ingest", metadata: #"{"a":1}"#))
    let backup = directory.file("backup.db")
    try await store.backup(to: backup)
    #expect(try mode(backup) == 0o600)
    let error = await #expect(throws: JobError.self) { try await store.backup(to: backup) }
    #expect(error?.code == .alreadyExists)
    _ = try await store.create(NewJob(type: "later"))
    await store.close()
    let copy = try await SQLiteJobStore.open(path: backup)
    #expect(try await copy.list().map(\.outline) == [job])
    await copy.close()
  }

  @Test(arguments: ["-wal", "-shm", "-journal", "-lock", "-reserve"])
  func `a backup does not take a name that the database uses`(suffix: String) async throws {
    let store = try await SQLiteJobStore.open(path: path)
    let link = directory.file("link")
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: directory.file("state"))
    let error = await #expect(throws: JobError.self) {
      try await store.backup(to: "\(link)/jobs.db\(suffix)")
    }
    #expect(error?.code == .invalidArgument)
    await store.close()
  }

  private func options(patience: Duration) -> OpenOptions {
    OpenOptions(
      path: path, durability: .full, retryPolicy: RetryPolicy(), clock: { .now }, random: { 0.5 },
      logger: Logger(label: "test"), patience: patience)
  }

  private func mode(_ path: String) throws -> Int? {
    try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
  }

  /// All that a store says of some jobs.
  private struct Contents: Equatable {
    var jobs: [Job?] = []
    var positions: [QueuePosition] = []
    let stats: [TypeStats]
    let recovery: Recovery

    init(of store: SQLiteJobStore, _ ids: [JobID]) async throws {
      stats = await store.stats()
      recovery = try await store.recover()
      for id in ids {
        jobs.append(try await store.get(id))
        positions.append(try await store.position(id))
      }
    }
  }
}
