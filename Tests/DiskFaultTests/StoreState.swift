import JobModel

@testable import SQLiteJobStore

/// All that is in a database: every column of every row.
struct StoreState: Equatable {
  struct Row: Equatable {
    let status: JobStatus
    let text: String

    static func == (a: Row, b: Row) -> Bool { a.text == b.text }
  }

  /// By id.
  var jobs: [String: Row] = [:]
  /// The other tables.
  var rest: [String] = []
}

/// Reads the state of a database beside its store.
struct StateReader {
  private static let otherTables = [
    "job_attempts", "paused_types", "original_ids", "deleted_jobs", "sqlite_sequence",
  ]

  private let connection: Connection
  private let jobs: Statement
  private let others: [Statement]

  init(_ path: String) throws {
    let connection = try Connection(path: path, readOnly: true)
    self.connection = connection
    jobs = try connection.prepare(
      "SELECT lower(hex(id)), status, \(Self.row(of: "jobs", connection)) FROM jobs")
    others = try Self.otherTables.map { table in
      let row = try Self.row(of: table, connection)
      return try connection.prepare(
        "SELECT coalesce(group_concat(r, char(10)), '') FROM (SELECT \(row) AS r FROM \(table) ORDER BY 1)")
    }
  }

  func state() throws -> StoreState {
    var state = StoreState()
    try jobs.forEach { row in
      let status = JobStatus(rawValue: row.text(1)) ?? .failed
      state.jobs[row.text(0)] = StoreState.Row(status: status, text: row.text(2))
      return true
    }
    state.rest = try others.map { try $0.first([]) { $0.text(0) } ?? "" }
    return state
  }

  /// SQLite's own check of all tables and indexes: "ok", or what is wrong.
  func integrity() throws -> String { try connection.text("PRAGMA integrity_check") ?? "no answer" }

  /// SQL for all columns of a table as one text.
  private static func row(of table: String, _ connection: Connection) throws -> String {
    let sql = "SELECT group_concat('quote(' || name || ')', '||''|''||') FROM pragma_table_info('\(table)')"
    return try connection.text(sql) ?? "''"
  }
}
