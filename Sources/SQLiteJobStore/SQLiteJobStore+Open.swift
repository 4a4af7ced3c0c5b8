import CSQLite
import JobModel
import JobStore
import Logging

/// How a store is opened.
struct OpenOptions: Sendable {
  var path: String
  let durability: Durability
  let retryPolicy: RetryPolicy
  let clock: @Sendable () -> Timestamp
  let random: @Sendable () -> Double
  let logger: Logger
  /// SQLite's name for what stands between it and the files; nil is the system's own.
  var vfs: String?
  /// Frames (pages) in the log that make a checkpoint worth it.
  var checkpointFrames: Int32 = 2000
  /// As in `LogSync`.
  var waitsElsewhere: Bool?
  /// How long opening, and then a transaction, waits for another process that writes.
  var patience: Duration = .seconds(5)
}

extension SQLiteJobStore {
  /// Opens a database, which is made if there is none; so is its directory, for its owner alone. One of an older
  /// version, or of the store that JobBroker grew out of, is backed up and migrated.
  ///
  /// - Parameters:
  ///   - path: The database file. Beside it SQLite keeps `-wal` and `-shm`, and the store `-lock` and `-reserve`.
  ///   - thread: Where the store runs; a thread of its own when nil.
  ///   - durability: What `sync` promises.
  ///   - retryPolicy: How long a job waits before an automatic retry.
  ///   - clock: The wall clock.
  ///   - random: Uniform in 0..<1; spreads retries.
  ///   - logger: Told of migrations, damage, a full disk, a failure.
  /// - Throws: UNAVAILABLE when another broker has the database or it can't be opened; RESOURCE_EXHAUSTED when the disk has
  ///   no room for that; UNSUPPORTED when it is of a newer version; INVALID_ARGUMENT when it is another program's, no
  ///   regular file or has several names; INTERNAL when it is damaged.
  public static func open(
    path: String, on thread: (any SerialExecutor & TaskExecutor)? = nil,
    durability: Durability = .full, retryPolicy: RetryPolicy = RetryPolicy(),
    clock: @escaping @Sendable () -> Timestamp = { .now },
    random: @escaping @Sendable () -> Double = { .random(in: 0..<1) },
    logger: Logger = Logger(label: "jobbroker.store")
  ) async throws(JobError) -> SQLiteJobStore {
    try await open(
      OpenOptions(
        path: path, durability: durability, retryPolicy: retryPolicy, clock: clock, random: random,
        logger: logger), on: thread)
  }

  /// As above, with what only tests change.
  static func open(
    _ options: OpenOptions, on thread: (any SerialExecutor & TaskExecutor)? = nil
  ) async throws(JobError) -> SQLiteJobStore {
    let thread = thread ?? DedicatedThread()
    // Opening reads much and may migrate: that belongs on the thread that will write.
    return try await withTaskExecutorPreference(thread) { () async throws(JobError) in
      var options = options
      options.path = try DatabaseFile.make(options.path)
      let lock = try DatabaseLock(path: options.path + "-lock")
      // Whatever fails: not before the connections are gone.
      defer { withExtendedLifetime(lock) {} }
      let opened = try OpenedDatabase(options)
      do throws(SQLiteError) {
        let reader = try Reader(path: options.path, vfs: options.vfs, thread: DedicatedThread())
        return SQLiteJobStore(opened, lock: lock, options: options, thread: thread, reader: reader)
      } catch { throw JobError(error, cannot: "open", options.path) }
    }
  }
}

/// What opening a database yields.
struct OpenedDatabase {
  /// How long opening looks for damage.
  private static let checkLimit: Duration = .milliseconds(500)

  let reserve: DiskReserve
  let writer: Writer
  let log: LogFile
  let index: QueueIndex

  init(_ options: OpenOptions) throws(JobError) {
    let reserved = options.path + "-reserve"
    do throws(JobError) {
      (log, index, writer) = try Self.load(options)
    } catch {
      // Opening takes room, too, which on a full disk may be only what the last broker has put aside.
      guard error.code == .resourceExhausted, DiskReserve.giveUp(reserved) else { throw error }
      (log, index, writer) = try Self.load(options)
    }
    reserve = DiskReserve(path: reserved, logger: options.logger)
  }

  private static func load(
    _ options: OpenOptions
  ) throws(JobError) -> (log: LogFile, index: QueueIndex, writer: Writer) {
    let connection = try connect(options)
    let migrator = Migrator(connection: connection, path: options.path, logger: options.logger)
    let origin = try migrator.open()
    let log: LogFile
    do { log = try LogFile(connection, patience: options.patience) } catch {
      throw JobError(error, cannot: "open", options.path)
    }
    try migrator.migrate(from: origin, now: options.clock())
    do throws(SQLiteError) {
      try check(connection, options)
      try connection.gatherLogWrites()
      var statements = StatementCache(connection)
      let index = try QueueIndex.load(&statements)
      return (log, index, try Writer(connection, statements: statements, options: options))
    } catch {
      throw JobError(error, cannot: "open", options.path)
    }
  }

  private static func connect(_ options: OpenOptions) throws(JobError) -> Connection {
    do {
      let connection = try Connection(path: options.path, vfs: options.vfs)
      connection.setBusyTimeout(milliseconds: Int32(options.patience.milliseconds))
      connection.setCheckpointAtClose(false)  // Until `close` knows that the log is good.
      for pragma in pragmas { try connection.run(pragma) }
      return connection
    } catch { throw JobError(error, cannot: "open", options.path) }
  }

  private static func check(_ connection: Connection, _ options: OpenOptions) throws(SQLiteError) {
    switch try QuickCheck.run(on: connection, limit: checkLimit) {
    case .sound: break
    case .cut:
      options.logger.info("The check of the database was cut short", metadata: ["after": "\(checkLimit)"])
    case .damaged(let damage):
      throw SQLiteError(code: SQLITE_CORRUPT, message: "it is damaged, restore a backup: \(damage)")
    }
  }

  /// NORMAL: `LogSync` does what FULL would do more. Checkpoints are `Checkpointer`'s business. The page cache stays at
  /// SQLite's own 2 MB: a queue touches few pages at a time, and SQLite walks through all that are cached at nearly every
  /// commit (balancing a tree uses a page number behind the end of the file, which the commit then looks for). Only the
  /// pages that a large transaction changes may take more, or they would go to the log several times.
  private static let pragmas = [
    "PRAGMA synchronous = NORMAL", "PRAGMA wal_autocheckpoint = 0",
    "PRAGMA journal_size_limit = \(Checkpointer.longFile)", "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_spill = -8192",
  ]
}
