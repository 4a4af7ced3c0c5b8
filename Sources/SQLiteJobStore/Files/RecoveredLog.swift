import CSQLite

/// What an earlier process has left in the write-ahead log.
///
/// That it can be read does not mean that it is on the disk, nor that a sync would bring it there: when the system could
/// not write a page it says so once, and may keep the page as if it had. What is committed behind such a page would be
/// cut off with it by a power cut, however well it was synced. So all that counts is written once more, the same bytes
/// in the same places, for the sync that follows. (Rebello and others, "Can Applications Recover from fsync Failures?",
/// USENIX ATC 2020; the format: https://sqlite.org/walformat.html.)
///
/// While another process has the database open, SQLite takes the log as it is, without looking at its checksums. They are
/// looked at here, for pages may have been lost since. And it takes the index's word for what checkpoints have copied: those
/// that did not get to the end of the log have not synced the database, which may have lost that. So all is copied again.
struct RecoveredLog {
  private static let (headerSize, frameHeaderSize) = (32, 24)
  /// What the error is when a frame is not what was once written.
  private static let damaged = SQLiteError(
    code: SQLITE_CORRUPT,
    message: "the disk has lost a part of its log: close all programs that have it open, and start again")

  private let file: UnsafeMutablePointer<sqlite3_file>
  private let pageSize: Int
  private let salts: [UInt8]
  private var checksum: LogChecksum

  /// Writes the log again, lets the next checkpoint copy all of it, and makes room for the index of one that is as long as
  /// its file may get.
  ///
  /// - Parameters:
  ///   - file: the log.
  ///   - connection: the connection it is of, with no transaction open.
  ///   - patience: how long to wait for who is making a checkpoint.
  /// - Throws: SQLITE_CORRUPT when a part of it is not what was written, and what SQLite says.
  static func renew(
    _ file: UnsafeMutablePointer<sqlite3_file>, of connection: Connection, patience: Duration
  ) throws(SQLiteError) {
    let deadline = ContinuousClock.now + patience
    while true {
      do throws(SQLiteError) { return try renew(file, of: connection) } catch {
        guard error.isBusy, ContinuousClock.now < deadline else { throw error }
      }
      sqlite3_sleep(5)  // Without a transaction, which he may be waiting for.
    }
  }

  private static func renew(
    _ file: UnsafeMutablePointer<sqlite3_file>, of connection: Connection
  ) throws(SQLiteError) {
    let pageSize = Int(try connection.integer("PRAGMA page_size") ?? 0)
    // Nobody else writes meanwhile.
    try connection.beginTransaction()
    defer { connection.rollBack() }
    let index = try LogIndex(connection)
    try index.grow(to: Checkpointer.longFile / (pageSize + frameHeaderSize))
    let frames = try index.frames()
    guard frames > 0 else { return }
    try index.withoutCheckpoints { () throws(SQLiteError) in
      var log = try RecoveredLog(file)
      for frame in 0..<frames { try log.renew(frame) }
      // Not before all of it is known to be whole: a checkpoint would copy what is not over what is.
      try index.forgetCheckpoints()
    }
  }

  /// A log whose header is written again.
  private init(_ file: UnsafeMutablePointer<sqlite3_file>) throws(SQLiteError) {
    let header = try file.read(Self.headerSize, at: 0)
    checksum = LogChecksum(isBigEndian: header[3] & 1 == 1)
    checksum.add(header[..<24])
    guard checksum.isEqual(to: header[24...]) else { throw Self.damaged }
    try file.write(header, at: 0)
    self.file = file
    pageSize = header[8..<12].reduce(0) { $0 << 8 | Int($1) }
    salts = Array(header[16..<24])
  }

  private mutating func renew(_ index: Int) throws(SQLiteError) {
    let size = Self.frameHeaderSize + pageSize
    let frame = try file.read(size, at: Self.headerSize + index * size)
    checksum.add(frame[..<8])
    checksum.add(frame[Self.frameHeaderSize...])
    guard frame[8..<16].elementsEqual(salts), checksum.isEqual(to: frame[16..<24]) else { throw Self.damaged }
    try file.write(frame, at: Self.headerSize + index * size)
  }
}

/// The checksum that runs through the log.
private struct LogChecksum {
  let isBigEndian: Bool
  private var (first, second): (UInt32, UInt32) = (0, 0)

  init(isBigEndian: Bool) { self.isBigEndian = isBigEndian }

  /// Adds bytes, a multiple of eight.
  mutating func add(_ bytes: ArraySlice<UInt8>) {
    bytes.withUnsafeBytes { bytes in
      for offset in stride(from: 0, to: bytes.count, by: 8) {
        first &+= word(bytes, offset) &+ second
        second &+= word(bytes, offset + 4) &+ first
      }
    }
  }

  private func word(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> UInt32 {
    let word = bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
    return isBigEndian ? UInt32(bigEndian: word) : UInt32(littleEndian: word)
  }

  /// Whether these eight bytes say the same.
  func isEqual(to bytes: ArraySlice<UInt8>) -> Bool {
    bytes.reduce(0) { $0 << 8 | UInt64($1) } == UInt64(first) << 32 | UInt64(second)
  }
}

extension UnsafeMutablePointer<sqlite3_file> {
  fileprivate func read(_ count: Int, at offset: Int) throws(SQLiteError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    let code = pointee.pMethods.pointee.xRead(self, &bytes, Int32(count), Int64(offset))
    // What is missing at its end is read as zeros.
    guard code == SQLITE_OK || code == SQLITE_IOERR | 2 << 8 else { throw SQLiteError(file: code) }
    return bytes
  }

  fileprivate func write(_ bytes: [UInt8], at offset: Int) throws(SQLiteError) {
    let code = pointee.pMethods.pointee.xWrite(self, bytes, Int32(bytes.count), Int64(offset))
    guard code == SQLITE_OK else { throw SQLiteError(file: code) }
  }
}
