import CSQLite
import Glibc
import JobModel

/// What SQLite said went wrong.
struct SQLiteError: Error, Equatable {
  /// The extended result code.
  let code: Int32
  /// SQLite's explanation.
  let message: String
  /// The errno of the call that failed; 0 when it was none.
  let systemError: Int32

  init(code: Int32, message: String, systemError: Int32 = 0) {
    self.code = code
    self.message = message
    self.systemError = systemError
  }

  /// What a call of a file's method said.
  init(file code: Int32) {
    self.init(code: code, message: String(cString: sqlite3_errstr(code)), systemError: errno)
  }

  /// What the last call on the connection said.
  init(_ connection: OpaquePointer?, code: Int32) {
    let message =
      connection.map { String(cString: sqlite3_errmsg($0)) } ?? String(cString: sqlite3_errstr(code))
    self.init(
      code: connection.map(sqlite3_extended_errcode) ?? code, message: message,
      systemError: connection.map(sqlite3_system_errno) ?? 0)
  }

  /// SQLITE_IOERR_WRITE and SQLITE_IOERR_SHMSIZE.
  private static let (failedWrite, failedIndexGrowth) = (SQLITE_IOERR | 3 << 8, SQLITE_IOERR | 19 << 8)

  /// The result code without what extends it.
  var primaryCode: Int32 { code & 0xFF }

  /// The statement would have broken a constraint: its fault, and only it failed.
  var isConstraint: Bool { primaryCode == SQLITE_CONSTRAINT }
  /// There is no room on the disk, or no more than a quota or a limit allows: SQLite has a code for the first only, and none
  /// for a file that can't be made.
  var isFull: Bool {
    primaryCode == SQLITE_FULL
      || (code == Self.failedWrite || primaryCode == SQLITE_CANTOPEN)
        && JobError.lacksRoom.contains(systemError)
  }
  /// There is no room for the index of the log.
  var lacksRoomForIndex: Bool { code == Self.failedIndexGrowth }
  /// Another connection holds a lock.
  var isBusy: Bool { primaryCode == SQLITE_BUSY || primaryCode == SQLITE_LOCKED }
}

extension SQLiteError: CustomStringConvertible {
  var description: String { "\(lacksRoomForIndex ? "the disk is full" : message) (SQLite \(code))" }
}

extension JobError {
  /// The database could not be read, written or opened: nothing has changed.
  init(_ error: SQLiteError, cannot verb: String, _ path: String) {
    self.init(error, while: error.isBusy ? "Another process is writing to \(path)" : "Cannot \(verb) \(path)")
  }

  /// What was done has changed nothing.
  init(_ error: SQLiteError, while doing: String) {
    let code: Code =
      error.isFull || error.lacksRoomForIndex ? .resourceExhausted : error.isBusy ? .unavailable : .internal
    self.init(code, "\(doing): \(error).")
  }
}
