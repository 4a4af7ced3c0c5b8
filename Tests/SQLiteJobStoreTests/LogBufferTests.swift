import Foundation
import JobModel
import JobStore
import Testing
import TestSupport

@testable import SQLiteJobStore

/// What is written at once must be all that SQLite wrote, and be there when it says so.
@Suite struct LogBufferTests {
  private let directory = TemporaryDirectory()
  private var path: String { directory.file("jobs.db") }

  /// Rows that are found in what a kill at this moment would leave of the files.
  private func rowsAfterAKill(in table: String = "jobs") throws -> Int64? {
    let copy = TemporaryDirectory()
    for suffix in ["", "-wal"] {
      try FileManager.default.copyItem(atPath: path + suffix, toPath: copy.file("jobs.db" + suffix))
    }
    let connection = try Connection(path: copy.file("jobs.db"))
    #expect(try connection.text("PRAGMA integrity_check") == "ok")
    return try connection.integer("SELECT count(*) FROM \(table)")
  }

  @Test func `a small transaction is in the file when it is committed`() async throws {
    let store = try await SQLiteJobStore.open(path: path, durability: .relaxed)
    for count in 1...20 {
      _ = try await store.create(NewJob(type: "t"))
      #expect(try rowsAfterAKill() == Int64(count))
    }
    await store.close()
  }

  /// SQLite writes pages of it before it ends, reads some of them again, and writes over them.
  @Test func `a transaction larger than the cache is in the file when it is committed`() async throws {
    let store = try await SQLiteJobStore.open(path: path, durability: .relaxed)
    _ = try await store.create(NewJob(type: "t"))
    let metadata = #"{"x":"\#(String(repeating: "x", count: 100_000))"}"#
    let large = (0..<300).map { _ in NewJob(type: "t", metadata: metadata) }
    let commands = large.map { JobCommand.create([$0]) } + large.map { JobCommand.cancel($0.id) }
    #expect(try await store.execute(commands).allSatisfy { (try? $0.get()) != nil })
    #expect(try rowsAfterAKill() == 301)
    _ = try await store.create(NewJob(type: "t"))
    #expect(try rowsAfterAKill() == 302)
    await store.close()
  }

  /// A connection that writes pages to the log before their transaction ends, and a table.
  private func connectionWithSmallCache() throws -> Connection {
    let connection = try Connection(path: path)
    for pragma in ["journal_mode = WAL", "cache_size = 10"] { _ = try connection.text("PRAGMA \(pragma)") }
    try connection.run("CREATE TABLE numbers (n INTEGER, filling BLOB)")
    try connection.gatherLogWrites()
    return connection
  }

  /// Forty rows, two to a page.
  private func addNumbers(_ connection: Connection) throws {
    try connection.run(
      """
      INSERT INTO numbers WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)
      SELECT i, zeroblob(2000) FROM n
      """)
  }

  @Test func `a transaction with a cache of a few pages reads what it has just written`() throws {
    let connection = try connectionWithSmallCache()
    try connection.run("BEGIN")
    try addNumbers(connection)
    for _ in 1...3 { try connection.run("UPDATE numbers SET n = n + 1") }
    try connection.run("UPDATE numbers SET n = 0 WHERE n % 2 = 1")
    #expect(
      try connection.integer("SELECT sum(n) FROM numbers")
        == (1...40).map { $0 + 3 }.filter { $0 % 2 == 0 }.reduce(0, +))
    try connection.run("COMMIT")
    #expect(try connection.text("PRAGMA integrity_check") == "ok")
  }

  @Test func `what a failed transaction has left does not overwrite what another process commits`() throws {
    let ours = try connectionWithSmallCache()
    // With pages of before in the log, undoing the transaction would read, and so write what is left.
    _ = try ours.text("PRAGMA wal_checkpoint")
    try ours.beginTransaction()
    try addNumbers(ours)
    ours.rollBack()

    let other = try Connection(path: path)
    try addNumbers(other)
    #expect(try ours.integer("SELECT count(*) FROM numbers") == 40)
    #expect(try rowsAfterAKill(in: "numbers") == 40)
  }
}
