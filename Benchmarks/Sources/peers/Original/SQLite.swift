import CSystem

/// A database file, opened as the original store did.
final class SQLite {
  private let database: OpaquePointer

  init(_ path: String) throws {
    var opened: OpaquePointer?
    guard sqlite3_open(path, &opened) == SQLITE_OK, let opened else {
      throw Failure("sqlite: can't open \(path)")
    }
    database = opened
    sqlite3_busy_timeout(database, 5000)
    for pragma in ["journal_mode=WAL", "synchronous=FULL"] { try prepare("PRAGMA \(pragma)").run() }
  }

  func prepare(_ sql: String) throws -> Statement {
    var prepared: OpaquePointer?
    guard sqlite3_prepare_v2(database, sql, -1, &prepared, nil) == SQLITE_OK, let prepared else {
      throw Failure("sqlite: \(String(cString: sqlite3_errmsg(database)))")
    }
    return Statement(prepared)
  }

  /// How many rows the last statement changed.
  var changes: Int { Int(sqlite3_changes(database)) }

  /// A prepared statement. It lives as long as the process.
  struct Statement {
    private let statement: OpaquePointer

    fileprivate init(_ statement: OpaquePointer) { self.statement = statement }

    /// Runs it, again and again while another process has the database for longer than the busy timeout.
    ///
    /// - Returns: the first column of the first row; nil when there is none.
    @discardableResult
    func run(_ parameters: String...) throws -> String? {
      // SQLITE_TRANSIENT: SQLite makes its own copy.
      let copied = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
      for (index, parameter) in parameters.enumerated() {
        sqlite3_bind_text(statement, Int32(index + 1), parameter, -1, copied)
      }
      defer { sqlite3_reset(statement) }
      while true {
        switch sqlite3_step(statement) {
        case SQLITE_DONE: return nil
        case SQLITE_ROW: return sqlite3_column_text(statement, 0).map { String(cString: $0) }
        case SQLITE_BUSY: sqlite3_reset(statement)
        case let code: throw Failure("sqlite: \(String(cString: sqlite3_errstr(code)))")
        }
      }
    }
  }
}
