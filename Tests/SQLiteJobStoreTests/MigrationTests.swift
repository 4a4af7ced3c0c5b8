import Foundation
import JobModel
import JobStore
import Logging
import Testing
import TestSupport

@testable import SQLiteJobStore

@Suite struct MigrationTests {
  private let directory = TemporaryDirectory()
  private var path: String { directory.file("jobs.db") }

  @Test func `a database of a newer version is refused`() async throws {
    await (try await SQLiteJobStore.open(path: path)).close()
    try Connection(path: path).run("PRAGMA user_version = 1000")
    let error = await #expect(throws: JobError.self) { try await SQLiteJobStore.open(path: path) }
    #expect(error?.code == .unsupported)
    #expect(error?.message.contains("1000") == true)
  }

  @Test(arguments: [
    "CREATE TABLE t (a)", "PRAGMA application_id = 7; CREATE TABLE t (a)",
    "PRAGMA user_version = 1; CREATE TABLE t (a)",
    "PRAGMA application_id = \(JobSchema.applicationID); PRAGMA user_version = -1; CREATE TABLE t (a)",
    "CREATE TABLE audio_prep_jobs (jobId TEXT PRIMARY KEY, other TEXT)",
  ])
  func `another program's database is refused and left as it is`(_ sql: String) async throws {
    try Connection(path: path).run(sql)
    let before = try Data(contentsOf: URL(filePath: path))
    let error = await #expect(throws: JobError.self) { try await SQLiteJobStore.open(path: path) }
    #expect(error?.code == .invalidArgument)
    #expect(try Data(contentsOf: URL(filePath: path)) == before)
  }

  @Test func `a file that is no database is refused`() async throws {
    try Data(repeating: 0x41, count: 10_000).write(to: URL(filePath: path))
    await #expect(throws: JobError.self) { try await SQLiteJobStore.open(path: path) }
  }

  @Test func `an older database is backed up, then migrated`() throws {
    let connection = try Connection(path: path)
    try migrate(connection, [["CREATE TABLE a (x)"]])
    try connection.run("INSERT INTO a VALUES (1)")
    try migrate(connection, [["CREATE TABLE a (x)"], ["ALTER TABLE a ADD y", "UPDATE a SET y = 2"]])
    #expect(try connection.integer("SELECT y FROM a") == 2)
    #expect(try connection.integer("PRAGMA user_version") == 2)
    let backup = try Connection(path: path + ".backup-v1")
    #expect(try backup.integer("SELECT count(*) FROM pragma_table_info('a')") == 1)
    #expect(try backup.integer("PRAGMA user_version") == 1)
    #expect(try backup.integer("PRAGMA application_id") == JobSchema.applicationID)
  }

  @Test func `a job of a version 1 database is kept, and remembered once it is deleted`() async throws {
    let new = NewJob(type: "ingest")
    do {
      let connection = try Connection(path: path)
      try migrate(connection, Array(JobSchema.migrations.prefix(1)))
      let insert = try connection.prepare(
        """
        INSERT INTO jobs (id, type, status, priority, max_retries, max_lost, attempt, created_at, updated_at, metadata)
        VALUES (?1, 'ingest', 'pending', 0, 1, 3, 4, 0, 0, '{}')
        """)
      try insert.run([.id(new.id)])
    }
    let store = try await SQLiteJobStore.open(path: path)
    #expect(try await store.get(new.id)?.attempt == 4)
    try await store.commit(.delete(new.id))
    #expect(try await store.create(new).attempt == 4)
    await store.close()
  }

  @Test func `a migration that fails leaves the database as it was`() throws {
    let connection = try Connection(path: path)
    try migrate(connection, [["CREATE TABLE a (x)"]])
    #expect(throws: JobError.self) {
      try migrate(connection, [["CREATE TABLE a (x)"], ["ALTER TABLE a ADD y", "no SQL"]])
    }
    #expect(try connection.integer("SELECT count(*) FROM pragma_table_info('a')") == 1)
    #expect(try connection.integer("PRAGMA user_version") == 1)
  }

  @Test func `a database of the newest version is not touched`() throws {
    let connection = try Connection(path: path)
    try migrate(connection, [["CREATE TABLE a (x)"]])
    try migrate(connection, [["CREATE TABLE a (x)"]])
    #expect(!FileManager.default.fileExists(atPath: path + ".backup-v1"))
  }

  private func migrate(_ connection: Connection, _ migrations: [[String]]) throws {
    let migrator = Migrator(
      connection: connection, path: path, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
      migrations: migrations)
    try migrator.migrate(from: try migrator.open(), now: .now)
  }
}
