import CSQLite
import JobModel
import Synchronization

/// Makes committed transactions durable, on a thread of its own, while the writer runs the next ones.
///
/// The writer commits with `synchronous=NORMAL` and this actor then syncs the write-ahead log. Together that is
/// `synchronous=FULL`: in WAL mode SQLite's only difference between the two is one sync of the log after the commit
/// frame is written, and that is the sync made here, of the same file through the same VFS. All else it does in
/// NORMAL too: it syncs the header of a log that starts anew before the first commit in it, the log before a
/// checkpoint copies from it, and the database before the log is written over. So a transaction that is in the log
/// when the sync begins is durable when it ends; one that a checkpoint has moved on meanwhile is durable already.
/// (https://sqlite.org/pragma.html#pragma_synchronous, https://sqlite.org/wal.html)
actor LogSync {
  /// Where the disk is waited for.
  nonisolated let thread: DedicatedThread
  private var log: LogFile?
  /// The writer's count that is known to be durable.
  private var durable = 0
  private let committed: CommitCount

  init(log: LogFile, committed: CommitCount) {
    self.log = log
    self.committed = committed
    thread = DedicatedThread()
  }

  nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  /// Makes every transaction durable that was counted before the call.
  ///
  /// - Throws: UNKNOWN_OUTCOME. It must not be tried again: a second fsync may report success for pages that the
  ///   kernel has dropped.
  func sync() throws(JobError) {
    if let failure = committed.failure { throw failure }
    let target = committed.value
    guard let log, durable < target else { return }
    let code = log.sync()
    guard code == SQLITE_OK else {
      let failure = JobError(.unknownOutcome, "The write-ahead log could not be synced (SQLite \(code)).")
      committed.fail(failure)
      throw failure
    }
    durable = target
  }

  /// Lets go of the log, whose connection is about to close.
  func close() { log = nil }
}

/// The write-ahead log of a connection, as SQLite's VFS knows it.
///
/// It stays open from the moment the connection is in WAL mode until it closes, and `LogSync` lets go of it before
/// that. Syncing it on one thread while the connection reads and writes it on another is what the pointer is sent
/// for, and is sound: the VFS's xSync does one fdatasync on the descriptor. (Only the first call does more, for the
/// directory; it is made in `init`, before there is a second thread.) Hence `@unchecked Sendable`.
struct LogFile: @unchecked Sendable {
  private let file: UnsafeMutablePointer<sqlite3_file>

  /// The log of a connection that is in WAL mode; syncs it once.
  init(_ connection: Connection) throws(SQLiteError) {
    var file: UnsafeMutablePointer<sqlite3_file>?
    let code = sqlite3_file_control(connection.handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file)
    guard code == SQLITE_OK, let file, file.pointee.pMethods != nil else {
      throw SQLiteError(code: SQLITE_MISUSE, message: "the database has no write-ahead log")
    }
    self.file = file
    let synced = sync()
    guard synced == SQLITE_OK else {
      throw SQLiteError(code: synced, message: "cannot sync the write-ahead log")
    }
  }

  /// Makes what is in the log durable; returns SQLite's result code.
  func sync() -> Int32 {
    file.pointee.pMethods.pointee.xSync(file, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY)
  }
}

/// How many transactions have written to the log, and whether it can still be trusted. Shared by the writer and
/// `LogSync`.
final class CommitCount: Sendable {
  private let count = Atomic<Int>(0)
  private let firstFailure = Mutex<JobError?>(nil)
  private let hasFailed = Atomic<Bool>(false)

  /// Transactions so far.
  var value: Int { count.load(ordering: .acquiring) }

  /// Counts one.
  func increment() { count.add(1, ordering: .releasing) }

  /// Why nothing may be called durable any more. A failed write or sync of either thread counts for both: the
  /// kernel reports it once, and the other would be told that all is well.
  var failure: JobError? {
    hasFailed.load(ordering: .acquiring) ? firstFailure.withLock { $0 } : nil
  }

  /// Notes a failure; the first one stays.
  func fail(_ error: JobError) {
    firstFailure.withLock { if $0 == nil { $0 = error } }
    hasFailed.store(true, ordering: .releasing)
  }
}
