import CSQLite
import Logging

/// Moves what is in the write-ahead log into the database, so that the log stays small. Runs between two
/// transactions on the connection that writes.
struct Checkpointer {
  /// Frames from which on a checkpoint waits for readers, 64 MiB with pages of 4 KiB: one that stays would keep the
  /// log growing.
  private static let manyFrames: Int32 = 16_384
  /// How long it waits for them.
  private static let patience: Int32 = 100

  private let connection: Connection
  private let frames: Int32
  private let logger: Logger
  private let log: LogLength
  private var nextAt: Int32

  /// - Parameter frames: Frames (pages) in the log that make a checkpoint worth it.
  init(_ connection: Connection, frames: Int32, logger: Logger) {
    self.connection = connection
    self.frames = frames
    nextAt = frames
    self.logger = logger
    log = LogLength()
    sqlite3_wal_hook(
      connection.handle,
      { context, _, _, frames in
        // The context is the `LogLength` below, which `Checkpointer` keeps for as long as the connection.
        Unmanaged<LogLength>.fromOpaque(context!).takeUnretainedValue().frames = frames
        return SQLITE_OK
      }, Unmanaged.passUnretained(log).toOpaque())
  }

  /// Whether a transaction has written since the last call.
  mutating func noteCommit() -> Bool {
    guard log.frames > 0 else { return false }
    // The log has started anew.
    if log.frames < log.before { nextAt = frames }
    log.before = log.frames
    log.frames = 0
    return true
  }

  /// Makes a checkpoint when the log has grown enough.
  ///
  /// - Throws: what can't be put up with: a failed write or sync. Readers in the way and a full disk can: the log
  ///   just stays longer.
  mutating func checkpointIfNeeded() throws(SQLiteError) {
    guard log.before >= nextAt else { return }
    nextAt = log.before + frames
    let waits = log.before >= Self.manyFrames
    if waits { connection.setBusyTimeout(milliseconds: Self.patience) }
    defer { if waits { connection.setBusyTimeout(milliseconds: 0) } }
    let mode = waits ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE
    let code = sqlite3_wal_checkpoint_v2(connection.handle, "main", mode, nil, nil)
    guard code != SQLITE_OK else { return }
    let error = SQLiteError(connection.handle, code: code)
    guard error.isBusy || error.isFull else { throw error }
    logger.debug("Checkpoint put off", metadata: ["reason": "\(error)"])
  }
}

/// What SQLite's hook says of the log's length after each commit.
private final class LogLength {
  /// Frames after the last commit; 0 when no transaction has written since it was last looked at.
  var frames: Int32 = 0
  /// Frames when it was last looked at.
  var before: Int32 = 0
}
