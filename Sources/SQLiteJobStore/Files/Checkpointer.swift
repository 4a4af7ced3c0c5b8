import CSQLite
import Logging

/// Moves what is in the write-ahead log into the database, so that the log stays small. Runs between two
/// transactions on the connection that writes.
struct Checkpointer {
  /// Frames from which on a checkpoint waits for readers, 64 MiB with pages of 4 KiB: one that stays would keep the
  /// log growing.
  private static let manyFrames: Int32 = 16_384
  /// Frames from which on a checkpoint is worth it when room is scarce, 1 MiB.
  private static let fewFrames: Int32 = 256
  /// Bytes that the file of the log keeps when it begins anew: it writes over them sooner than a disk can give it
  /// others. When room is scarce, the database needs it more.
  static let (longFile, shortFile) = (64 << 20, 2 << 20)
  /// Bytes of a frame with a page as SQLite makes them unless told otherwise.
  private static let frameSize = 4096 + 24
  /// How long it waits for them.
  private static let patience: Int32 = 100

  private let connection: Connection
  private let frames: Int32
  private let logger: Logger
  private let log: LogLength
  private var isFileShort = false
  /// Frames from which on it is tried again, after readers or a full disk were in the way.
  private var postponedTo: Int32 = 0
  /// Whether the next transaction begins the log anew: all of it is in the database, and nobody reads it.
  private(set) var beginsAnew = false
  /// Whether the last checkpoint left all of the log in the database.
  private(set) var isComplete = false

  /// - Parameter frames: Frames (pages) in the log that make a checkpoint worth it.
  init(_ connection: Connection, frames: Int32, logger: Logger) throws(SQLiteError) {
    self.connection = connection
    self.frames = frames
    self.logger = logger
    log = LogLength(before: Int32(clamping: try LogIndex(connection).frames()))
    sqlite3_wal_hook(
      connection.handle,
      { context, _, _, frames in
        // The context is the `LogLength` below, which `Checkpointer` keeps for as long as the connection.
        Unmanaged<LogLength>.fromOpaque(context!).takeUnretainedValue().frames = frames
        return SQLITE_OK
      }, Unmanaged.passUnretained(log).toOpaque())
  }

  /// Bytes of the log behind which the next transaction writes.
  var size: Int { beginsAnew ? 0 : Int(log.before) * Self.frameSize }

  /// Whether a transaction has written since the last call.
  mutating func noteCommit() -> Bool {
    guard log.frames > 0 else { return false }
    // The log has started anew.
    if log.frames < log.before { postponedTo = 0 }
    beginsAnew = false
    log.before = log.frames
    log.frames = 0
    return true
  }

  /// Makes a checkpoint when the log has grown enough.
  ///
  /// - Parameter isRoomScarce: whether the log should be kept as short as can be, by waiting for readers, too.
  /// - Throws: what `checkpoint` throws.
  mutating func checkpointIfNeeded(isRoomScarce: Bool) throws(SQLiteError) {
    if isRoomScarce != isFileShort {
      isFileShort = isRoomScarce
      postponedTo = 0
      try connection.run("PRAGMA journal_size_limit = \(isRoomScarce ? Self.shortFile : Self.longFile)")
    }
    let enough = isRoomScarce ? Self.fewFrames : frames
    guard log.before >= max(enough, postponedTo) else { return }
    postponedTo = log.before + enough
    let waits = isRoomScarce || log.before >= Self.manyFrames
    if waits { connection.setBusyTimeout(milliseconds: Self.patience) }
    defer { if waits { connection.setBusyTimeout(milliseconds: 0) } }
    try checkpoint(waits ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE)
  }

  /// Moves what is in the log to the database, as far as readers let it. When that is all, and nobody reads the log,
  /// it begins anew.
  ///
  /// - Throws: what SQLite says of a failed write or sync, or a full disk: then the log just stays longer.
  mutating func checkpoint(_ mode: Int32 = SQLITE_CHECKPOINT_RESTART) throws(SQLiteError) {
    var (logged, moved): (Int32, Int32) = (-1, -1)
    let code = sqlite3_wal_checkpoint_v2(connection.handle, "main", mode, &logged, &moved)
    isComplete = moved >= 0 && moved == logged
    beginsAnew = code == SQLITE_OK && mode == SQLITE_CHECKPOINT_RESTART
    guard code != SQLITE_OK else { return }
    let error = SQLiteError(connection.handle, code: code)
    guard error.isBusy else { throw error }
    logger.debug("Checkpoint put off", metadata: ["reason": "\(error)"])
  }
}

/// What SQLite's hook says of the log's length after each commit.
private final class LogLength {
  /// Frames after the last commit; 0 when no transaction has written since it was last looked at.
  var frames: Int32 = 0
  /// Frames when it was last looked at.
  var before: Int32

  init(before: Int32) { self.before = before }
}
