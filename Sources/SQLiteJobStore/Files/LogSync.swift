import CSQLite
import JobModel

/// Makes committed transactions durable.
///
/// The writer commits with `synchronous=NORMAL` and the write-ahead log is synced here. Together that is
/// `synchronous=FULL`: in WAL mode SQLite's only difference between the two is one sync of the log after the commit
/// frame is written, and that is the sync made here, of the same file through the same VFS. All else it does in
/// NORMAL too: it syncs the header of a log that starts anew before the first commit in it, the log before a
/// checkpoint copies from it, and the database before the log is written over. So a transaction that is in the log
/// when the sync begins is durable when it ends; one that a checkpoint has moved on meanwhile is durable already.
/// (https://sqlite.org/pragma.html#pragma_synchronous, https://sqlite.org/wal.html)
///
/// A disk is waited for on a thread of its own, so that it holds up none but those who wait for it; a quick one, when
/// there is little else to do, where the store runs: to wake another thread and be woken takes about as long.
final class LogSync {
  /// What a sync of a quick disk usually takes at most.
  private static let quick: Duration = .milliseconds(1)

  private let waitsElsewhere: Bool?
  private var log: LogFile?
  private let waiter: DiskWaiter
  /// How many syncs are the other thread's, as far as is known here.
  private var underWay = 0
  /// What a sync usually takes: an average that forgets.
  private var usual: Duration = .zero

  /// - Parameter waitsElsewhere: whether the disk is waited for on the other thread; nil: as it is best.
  init(log: LogFile, waitsElsewhere: Bool?) {
    self.waitsElsewhere = waitsElsewhere
    self.log = log
    waiter = DiskWaiter(log: log)
  }

  /// Whether the other thread waits for the disk, and what came of it is not known here.
  var isUnderWay: Bool { underWay > 0 }

  /// Makes durable what is in the log; returns SQLite's result code.
  ///
  /// - Parameter isBusy: whether there is likely to be work for the store's thread meanwhile.
  func sync(isBusy: Bool, isolation: isolated (any Actor)? = #isolation) async -> Int32 {
    // Behind one that is under way: were it made here, a checkpoint could follow before that one is known to have failed.
    let elsewhere = waitsElsewhere ?? (isUnderWay || isBusy || usual >= Self.quick)
    if elsewhere { underWay += 1 }
    let outcome = elsewhere ? await waiter.sync() : log?.sync()
    if elsewhere { underWay -= 1 }
    guard let outcome else { return SQLITE_OK }
    usual = usual * 7 / 8 + outcome.duration / 8
    return outcome.code
  }

  /// Waits until no sync is under way.
  func settle(isolation: isolated (any Actor)? = #isolation) async {
    while isUnderWay { await waiter.settle() }
  }

  /// Lets go of the log, whose connection is about to close.
  func close(isolation: isolated (any Actor)? = #isolation) async {
    log = nil
    await waiter.close()
  }
}

/// Waits for the disk, on a thread of its own.
private actor DiskWaiter {
  private let thread = DedicatedThread()
  private var log: LogFile?

  init(log: LogFile) { self.log = log }

  nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  func sync() -> LogFile.SyncOutcome? { log?.sync() }

  /// Returns after the syncs that were asked for before.
  func settle() {}

  func close() { log = nil }
}

/// The write-ahead log of a connection, as SQLite's VFS knows it.
///
/// It stays open from the moment the connection is in WAL mode until it closes, and `LogSync` lets go of it before
/// that. Syncing it on one thread while the connection reads and writes it on another is what the pointer is sent
/// for, and is sound: the VFS's xSync, to which `CLogBuffer` adds nothing, does one fdatasync on the descriptor. (Only
/// the first call does more, for the directory; it is made in `init`, before there is a second thread.) Hence
/// `@unchecked Sendable`.
struct LogFile: @unchecked Sendable {
  private let file: UnsafeMutablePointer<sqlite3_file>

  /// What came of a sync: SQLite's result code, and how long it took.
  struct SyncOutcome: Sendable {
    let code: Int32
    let duration: Duration
  }

  /// The log of a connection that is in WAL mode; makes durable what is in it.
  ///
  /// - Parameter patience: how long to wait for another process that makes a checkpoint.
  init(_ connection: Connection, patience: Duration) throws(SQLiteError) {
    var file: UnsafeMutablePointer<sqlite3_file>?
    let code = sqlite3_file_control(connection.handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file)
    guard code == SQLITE_OK, let file, file.pointee.pMethods != nil else {
      throw SQLiteError(code: SQLITE_MISUSE, message: "the database has no write-ahead log")
    }
    self.file = file
    try RecoveredLog.renew(file, of: connection, patience: patience)
    let synced = sync().code
    guard synced == SQLITE_OK else {
      throw SQLiteError(code: synced, message: "cannot sync the write-ahead log")
    }
  }

  /// Makes what is in the log durable.
  func sync() -> SyncOutcome {
    let started = ContinuousClock.now
    let code = file.pointee.pMethods.pointee.xSync(file, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY)
    return SyncOutcome(code: code, duration: ContinuousClock.now - started)
  }
}
