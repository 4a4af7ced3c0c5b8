import CSQLite

/// The index of a connection's write-ahead log, which it shares with others that have the database open
/// (https://sqlite.org/walformat.html, 2). The connection must be in WAL mode and have read.
struct LogIndex {
  private static let partSize: Int32 = 32 << 10
  /// Each part is about so many frames; the first one has a header in the place of 34 of them.
  private static let (framesOfPart, framesOfHeader) = (4096, 34)
  /// Where in the header the number of frames is that count.
  private static let framesOffset = 16
  /// Where in it is how many of them checkpoints have copied to the database (nBackfill).
  private static let copiedOffset = 96
  /// The lock of whoever makes a checkpoint (WAL_CKPT_LOCK).
  private static let checkpointLock: Int32 = 1

  private let file: UnsafeMutablePointer<sqlite3_file>

  init(_ connection: Connection) throws(SQLiteError) {
    var file: UnsafeMutablePointer<sqlite3_file>?
    let code = sqlite3_file_control(connection.handle, "main", SQLITE_FCNTL_FILE_POINTER, &file)
    guard code == SQLITE_OK, let file else { throw SQLiteError(connection.handle, code: code) }
    self.file = file
  }

  /// How many frames of the log count.
  func frames() throws(SQLiteError) -> Int {
    guard let header = try part(0, makes: false) else { return 0 }
    return Int(header.load(fromByteOffset: Self.framesOffset, as: UInt32.self))
  }

  /// Makes room for so many frames, which nobody will have to look for then: on a full disk a log that is written in its own
  /// place goes on growing, and SQLite finds out that its index can't only when a transaction is in the log. To be called
  /// while no other connection can write.
  func grow(to frames: Int) throws(SQLiteError) {
    _ = try part(Int32((frames + Self.framesOfHeader - 1) / Self.framesOfPart), makes: true)
  }

  /// Lets the next checkpoint copy the whole log, as SQLite does when it makes the index anew. Those who read go on: what
  /// they take from the database is what the log says, too. To be called in a transaction that may write, within
  /// `withoutCheckpoints`.
  func forgetCheckpoints() throws(SQLiteError) {
    try part(0, makes: false)?.storeBytes(of: 0, toByteOffset: Self.copiedOffset, as: UInt32.self)
  }

  /// Runs `body` while nobody can make a checkpoint.
  ///
  /// - Throws: SQLITE_BUSY when somebody is making one. He may be waiting for the lock of a transaction.
  func withoutCheckpoints(_ body: () throws(SQLiteError) -> Void) throws(SQLiteError) {
    try lock(SQLITE_SHM_LOCK)
    do throws(SQLiteError) { try body() } catch {
      try? lock(SQLITE_SHM_UNLOCK)
      throw error
    }
    try lock(SQLITE_SHM_UNLOCK)
  }

  private func lock(_ action: Int32) throws(SQLiteError) {
    let code = file.pointee.pMethods.pointee.xShmLock(
      file, Self.checkpointLock, 1, action | SQLITE_SHM_EXCLUSIVE)
    guard code == SQLITE_OK else { throw SQLiteError(file: code) }
  }

  private func part(_ number: Int32, makes: Bool) throws(SQLiteError) -> UnsafeMutableRawPointer? {
    var memory: UnsafeMutableRawPointer?
    let code = file.pointee.pMethods.pointee.xShmMap(file, number, Self.partSize, makes ? 1 : 0, &memory)
    guard code == SQLITE_OK else { throw SQLiteError(file: code) }
    return memory
  }
}
