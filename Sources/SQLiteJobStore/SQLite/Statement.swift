import CSQLite
import JobModel
import JobStore

/// A prepared statement, and the row it stands at.
final class Statement {
  private let handle: OpaquePointer
  /// Knows what went wrong.
  private let connection: OpaquePointer

  init(_ sql: String, on connection: Connection) throws(SQLiteError) {
    var handle: OpaquePointer?
    let code = sqlite3_prepare_v3(
      connection.handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &handle, nil)
    guard code == SQLITE_OK, let handle else { throw SQLiteError(connection.handle, code: code) }
    self.handle = handle
    self.connection = connection.handle
  }

  deinit { sqlite3_finalize(handle) }

  /// Sets all parameters, `?1` first.
  func bind(_ values: [SQLValue]) throws(SQLiteError) {
    var position: Int32 = 0
    for value in values {
      position += 1
      let code =
        switch value {
        case .integer(let integer): sqlite3_bind_int64(handle, position, integer)
        case .real(let real): sqlite3_bind_double(handle, position, real)
        case .text(let text): bind(text, at: position)
        case .id(let id):
          id.withBytes { sqlite3_bind_blob(handle, position, $0.baseAddress, 16, Self.copied) }
        case .null: sqlite3_bind_null(handle, position)
        }
      if code != SQLITE_OK { throw SQLiteError(connection, code: code) }
    }
  }

  private func bind(_ text: String, at position: Int32) -> Int32 {
    var text = text
    return text.withUTF8 { bytes in
      // An empty buffer may have no address, and no address would mean NULL.
      guard let start = bytes.baseAddress else { return sqlite3_bind_text(handle, position, "", 0, Self.copied) }
      return start.withMemoryRebound(to: CChar.self, capacity: bytes.count) {
        sqlite3_bind_text(handle, position, $0, Int32(bytes.count), Self.copied)
      }
    }
  }

  /// SQLITE_TRANSIENT, a macro that Swift can't import: SQLite makes its own copy before the bind call returns. A
  /// copy of some hundred bytes costs less than keeping every text alive until the statement is reset.
  private static var copied: sqlite3_destructor_type { unsafeBitCast(-1, to: sqlite3_destructor_type.self) }

  /// Moves to the next row; false when there is none. The statement is reset then, and when it throws.
  func step() throws(SQLiteError) -> Bool {
    let code = sqlite3_step(handle)
    if code == SQLITE_ROW { return true }
    if code == SQLITE_DONE {
      sqlite3_reset(handle)
      return false
    }
    let error = SQLiteError(connection, code: code)
    sqlite3_reset(handle)
    throw error
  }

  /// Leaves the row, so that the statement can be run again and holds no lock.
  func reset() { sqlite3_reset(handle) }

  /// Runs the statement to its end.
  func run(_ values: [SQLValue] = []) throws(SQLiteError) {
    try bind(values)
    while try step() {}
  }

  /// What `decode` makes of the first row; nil when there is none.
  func first<T>(_ values: [SQLValue], _ decode: (Statement) -> T?) throws(SQLiteError) -> T? {
    try bind(values)
    guard try step() else { return nil }
    defer { reset() }
    return decode(self)
  }

  /// Calls `body` with each row, until it says false.
  func forEach(_ values: [SQLValue] = [], _ body: (Statement) -> Bool) throws(SQLiteError) {
    try bind(values)
    while try step() {
      if !body(self) { return reset() }
    }
  }

  /// What `decode` makes of each row.
  func all<T>(_ values: [SQLValue] = [], _ decode: (Statement) -> T?) throws(SQLiteError) -> [T] {
    var result: [T] = []
    try forEach(values) { row in
      if let value = decode(row) { result.append(value) }
      return true
    }
    return result
  }
}

extension Statement: SQLRow {
  func isNull(_ column: Int) -> Bool { sqlite3_column_type(handle, Int32(column)) == SQLITE_NULL }
  func integer(_ column: Int) -> Int64 { sqlite3_column_int64(handle, Int32(column)) }
  func real(_ column: Int) -> Double { sqlite3_column_double(handle, Int32(column)) }

  func text(_ column: Int) -> String { withText(column) { String(decoding: $0, as: UTF8.self) } }

  func id(_ column: Int) -> JobID? {
    let bytes = UnsafeRawBufferPointer(
      start: sqlite3_column_blob(handle, Int32(column)), count: byteCount(column))
    return JobID(bytes: bytes)
  }

  /// The bytes of a text, without a copy. Valid within `body`.
  func withText<R>(_ column: Int, _ body: (UnsafeBufferPointer<UInt8>) -> R) -> R {
    let start = sqlite3_column_text(handle, Int32(column))
    return body(UnsafeBufferPointer(start: start, count: start == nil ? 0 : byteCount(column)))
  }

  /// The bytes of a text or blob.
  func byteCount(_ column: Int) -> Int { Int(sqlite3_column_bytes(handle, Int32(column))) }
}
