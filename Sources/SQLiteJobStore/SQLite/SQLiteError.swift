import CSQLite
import JobModel

/// What SQLite said went wrong.
struct SQLiteError: Error, Equatable {
  /// The extended result code.
  let code: Int32
  /// SQLite's explanation.
  let message: String

  init(code: Int32, message: String) {
    self.code = code
    self.message = message
  }

  /// What the last call on the connection said.
  init(_ connection: OpaquePointer?, code: Int32) {
    let message =
      connection.map { String(cString: sqlite3_errmsg($0)) } ?? String(cString: sqlite3_errstr(code))
    self.init(code: connection.map(sqlite3_extended_errcode) ?? code, message: message)
  }

  /// The result code without what extends it.
  var primaryCode: Int32 { code & 0xFF }

  /// The statement would have broken a constraint: its fault, and only it failed.
  var isConstraint: Bool { primaryCode == SQLITE_CONSTRAINT }
  /// There is no room on the disk.
  var isFull: Bool { primaryCode == SQLITE_FULL }
  /// Another connection holds a lock.
  var isBusy: Bool { primaryCode == SQLITE_BUSY || primaryCode == SQLITE_LOCKED }
}

extension SQLiteError: CustomStringConvertible {
  var description: String { "\(message) (SQLite \(code))" }
}

extension JobError {
  /// A read failed, or the database could not be opened: nothing has changed.
  init(_ error: SQLiteError, while doing: String) {
    self.init(error.isBusy || error.isFull ? .unavailable : .internal, "\(doing): \(error).")
  }
}
