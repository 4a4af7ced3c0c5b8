import CLogBuffer
import CSQLite

/// A connection to a SQLite database. Used by one thread at a time: it is opened without SQLite's own mutexes.
final class Connection {
  let handle: OpaquePointer
  private var begin: Statement?
  private var commit: Statement?

  /// Opens a database file, through the named VFS or the system's own.
  ///
  /// - Throws: SQLITE_READONLY, too: SQLite itself would take one for reading only when it may not write it.
  init(path: String, readOnly: Bool = false, vfs: String? = nil) throws(SQLiteError) {
    var handle: OpaquePointer?
    let access = readOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
    let code = sqlite3_open_v2(path, &handle, access | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, vfs)
    guard code == SQLITE_OK, let handle else {
      let error = SQLiteError(handle, code: code)
      sqlite3_close_v2(handle)
      throw error
    }
    self.handle = handle
    guard readOnly || sqlite3_db_readonly(handle, "main") == 0 else {
      throw SQLiteError(code: SQLITE_READONLY, message: String(cString: sqlite3_errstr(SQLITE_READONLY)))
    }
  }

  deinit { sqlite3_close_v2(handle) }

  /// Runs statements that return nothing and have no parameters.
  func run(_ sql: String) throws(SQLiteError) {
    let code = sqlite3_exec(handle, sql, nil, nil, nil)
    if code != SQLITE_OK { throw SQLiteError(handle, code: code) }
  }

  /// Prepares one statement, to be kept.
  func prepare(_ sql: String) throws(SQLiteError) -> Statement { try Statement(sql, on: self) }

  /// The first column of the first row as an integer; nil when there is no row, or NULL in it.
  func integer(_ sql: String) throws(SQLiteError) -> Int64? {
    let statement = try prepare(sql)
    return try statement.step() && !statement.isNull(0) ? statement.integer(0) : nil
  }

  /// The first column of the first row as a text; nil when there is no row.
  func text(_ sql: String) throws(SQLiteError) -> String? {
    let statement = try prepare(sql)
    return try statement.step() ? statement.text(0) : nil
  }

  /// How many rows the last statement changed.
  var changes: Int { Int(sqlite3_changes(handle)) }

  /// The key of the row that was inserted last.
  var lastInsertedRow: Int64 { sqlite3_last_insert_rowid(handle) }

  /// Whether the last connection makes a checkpoint when it closes, as SQLite does unless told otherwise.
  func setCheckpointAtClose(_ makesOne: Bool) {
    _ = csqlite_set_checkpoint_at_close(handle, makesOne ? 1 : 0)
  }

  /// Writes what a transaction adds to the log at once. The connection must be in WAL mode.
  func gatherLogWrites() throws(SQLiteError) {
    let code = log_buffer_install(handle)
    guard code == SQLITE_OK else {
      throw SQLiteError(code: code, message: "cannot gather the writes of the log")
    }
  }

  /// How long a statement waits for another connection's lock.
  func setBusyTimeout(milliseconds: Int32) { sqlite3_busy_timeout(handle, milliseconds) }
}

extension Connection {
  /// Whether a transaction is open. SQLite ends one by itself after some errors.
  var isInTransaction: Bool { sqlite3_get_autocommit(handle) == 0 }

  /// Begins a transaction that may write, at once or with SQLITE_BUSY.
  func beginTransaction() throws(SQLiteError) {
    if begin == nil { begin = try prepare("BEGIN IMMEDIATE") }
    try begin?.run()
  }

  /// Ends the transaction.
  func commitTransaction() throws(SQLiteError) {
    if commit == nil { commit = try prepare("COMMIT") }
    try commit?.run()
  }

  /// Undoes the transaction, if there still is one. It can't fail then: there is nothing to write.
  func rollBack() {
    if isInTransaction { try? run("ROLLBACK") }
    log_buffer_drop(handle)
  }

  /// Runs `body` as one transaction.
  func transaction(_ body: () throws(SQLiteError) -> Void) throws(SQLiteError) {
    try beginTransaction()
    do {
      try body()
      try commitTransaction()
    } catch {
      rollBack()
      throw error
    }
  }
}
