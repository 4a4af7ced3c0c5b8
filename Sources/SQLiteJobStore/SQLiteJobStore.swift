import JobModel
import JobStore
import Logging
import Synchronization

/// Jobs in a SQLite database on this machine, which it keeps for itself while it is open.
///
/// Three threads: this actor's writes and makes the checkpoints, another reads, a third makes commits durable. None
/// waits for another.
public actor SQLiteJobStore: JobStore {
  /// `sqlite:` and the path of the database.
  public nonisolated let name: String

  private let thread: DedicatedThread
  private let path: String
  private let vfs: String?
  private let durability: Durability
  private let clock: @Sendable () -> Timestamp
  private let logger: Logger
  private let reader: Reader
  private let logSync: LogSync
  private let committed: CommitCount
  private let index: Mutex<QueueIndex>
  private var reserve: DiskReserve
  /// Nil once the store is closed.
  private var writer: Writer?
  private var lock: DatabaseLock?

  init(_ opened: consuming OpenedDatabase, options: OpenOptions, thread: DedicatedThread, reader: Reader) {
    name = "sqlite:" + options.path
    path = options.path
    vfs = options.vfs
    durability = options.durability
    clock = options.clock
    logger = options.logger
    self.thread = thread
    self.reader = reader
    committed = CommitCount()
    logSync = LogSync(log: opened.log, committed: committed)
    index = Mutex(opened.index)
    reserve = opened.reserve
    writer = opened.writer
    lock = opened.lock
  }

  /// The actor runs on the thread that writes.
  public nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  /// The thread that writes, and the one that waits for the disk.
  public nonisolated var executors: (execute: (any TaskExecutor)?, sync: (any TaskExecutor)?) {
    (thread, logSync.thread)
  }

  // MARK: Changes

  /// Runs the commands as one transaction, and then a checkpoint when it is time for one.
  ///
  /// - Throws: UNKNOWN_OUTCOME when a write failed, and ever after; UNAVAILABLE when another process is writing or
  ///   the disk is full.
  public func execute(_ commands: [JobCommand]) throws(JobError) -> [Result<JobReply, JobError>] {
    if let failure = committed.failure { throw failure }
    if !reserve.isHeld, commands.contains(where: \.isCreate) { reserve.restore() }
    do throws(SQLiteError) {
      return try transaction(commands)
    } catch {
      guard error.isFull else { throw ended(by: error) }
    }
    // SQLite writes the frame that makes a transaction count last, so this one has not happened. The reserve makes
    // room to run what it holds but for new jobs.
    reserve.release()
    do throws(SQLiteError) {
      return try transaction(commands)
    } catch {
      throw error.isFull
        ? JobError(.unavailable, "The disk is full: nothing was done; make room and repeat it.")
        : ended(by: error)
    }
  }

  private func transaction(_ commands: [JobCommand]) throws(SQLiteError) -> [Result<JobReply, JobError>] {
    guard writer != nil else {
      return commands.map { _ in .failure(JobError(.unavailable, "The store is closed.")) }
    }
    let takesNewJobs = reserve.isHeld
    // Nobody else runs on this actor, so the writer stays what it was just seen to be.
    let results = try writer!.run(commands, takesNewJobs: takesNewJobs, at: clock())
    index.withLock { index in
      for change in writer!.changes { index.apply(change) }
    }
    if writer!.checkpointer.noteCommit() { committed.increment() }
    do throws(SQLiteError) {
      try writer!.checkpointer.checkpointIfNeeded()
    } catch {
      // What is committed is committed; whether it can be made durable is no longer sure.
      _ = ended(by: error)
    }
    return results
  }

  /// What to tell of a transaction that SQLite ended. Nothing can be relied on after a failed write, so it is the
  /// last unless the database was only busy.
  private func ended(by error: SQLiteError) -> JobError {
    if error.isBusy { return JobError(error, while: "Another process is writing to \(path)") }
    let failure = JobError(.unknownOutcome, "A transaction failed: \(error).")
    committed.fail(failure)
    logger.critical("The database failed", metadata: ["path": "\(path)", "error": "\(error)"])
    return failure
  }

  /// Makes the transactions durable, with a store that promises that.
  ///
  /// - Throws: UNKNOWN_OUTCOME, and ever after.
  public nonisolated func sync() async throws(JobError) {
    if let failure = committed.failure { throw failure }
    if durability == .full { try await logSync.sync() }
  }

  // MARK: Reads

  /// One job with its history.
  public nonisolated func get(_ id: JobID) async throws(JobError) -> Job? { try await reader.get(id) }

  /// Jobs, newest first. A page ends early when its JSON would not fit a frame.
  public nonisolated func list(_ filter: JobFilter) async throws(JobError) -> JobPage {
    try await reader.list(filter)
  }

  /// The place in the queue: the row is read, its rank is in memory.
  public nonisolated func position(_ id: JobID) async throws(JobError) -> QueuePosition {
    guard let entry = try await reader.queueEntry(id) else { return .none }
    return index.withLock { $0.position(of: entry.key, type: entry.type) }
  }

  /// Counters, from memory.
  public nonisolated func stats() async throws(JobError) -> [TypeStats] { index.withLock { $0.stats } }

  /// What the last broker left.
  public func recover() throws(JobError) -> Recovery {
    guard writer != nil else { throw JobError(.unavailable, "The store is closed.") }
    // As in `transaction`.
    do { return try writer!.recover() } catch { throw JobError(error, while: "Cannot read \(path)") }
  }

  /// Writes a compact copy to a new file of mode 0600, on a thread of its own.
  ///
  /// - Throws: ALREADY_EXISTS when there is a file at `destination`.
  public nonisolated func backup(to destination: String) async throws(JobError) {
    try await withTaskExecutorPreference(DedicatedThread()) { () async throws(JobError) in
      let source: Connection
      do throws(SQLiteError) { source = try Connection(path: path, readOnly: true, vfs: vfs) } catch {
        throw JobError(error, while: "Cannot read \(path)")
      }
      try Backup.write(source, to: destination)
    }
  }

  // MARK: End

  /// Closes the connections and lets another process have the database.
  public func close() async {
    await logSync.close()
    await reader.close()
    // The last connection to close leaves all in the database, and no log.
    writer = nil
    lock = nil
  }
}

extension JobCommand {
  /// Whether it needs room for new jobs.
  var isCreate: Bool { if case .create = self { true } else { false } }
}
