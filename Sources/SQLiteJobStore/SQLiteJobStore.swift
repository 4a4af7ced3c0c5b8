import CSQLite
import JobModel
import JobStore
import Logging
import Synchronization

/// Jobs in a SQLite database on this machine, which it keeps for itself while it is open.
///
/// This actor's thread writes, reads single jobs and makes the checkpoints. Lists, backups, and a disk that is slow or has
/// much to do, have threads of their own, so that nobody else waits for them.
public actor SQLiteJobStore: JobStore {
  /// Bytes of the pages that a command changes, and that a transaction changes: guesses. A transaction that needs more on a
  /// disk that is nearly full fails, and is run again with the reserve.
  private static let (pagesOfCommand, pagesOfTransaction) = (24 << 10, 2 << 20)

  /// `sqlite:` and the path of the database.
  public nonisolated let name: String

  private let thread: any (SerialExecutor & TaskExecutor)
  private let path: String
  private let vfs: String?
  private let durability: Durability
  /// How long a transaction waits for another process that writes.
  private let patience: Duration
  private let clock: @Sendable () -> Timestamp
  private let logger: Logger
  private let reader: Reader
  private let logSync: LogSync
  private var index: QueueIndex
  private var reserve: DiskReserve
  /// Nil once the store is closed.
  private var writer: Writer?
  /// How many transactions have written to the log.
  private var committed = 0
  /// How many of them are known to be durable.
  private var durable = 0
  /// How many commands the transactions had that wrote since the last sync began.
  private var unsynced = 0
  /// With as many for one sync there are clients enough for others to ask for something while it lasts.
  private static let manyCommands = 32
  /// Why nothing may be called durable any more. A failed write counts for syncs and a failed sync for writes: the
  /// kernel reports it once, and the other would be told that all is well.
  private var failure: JobError?
  private var lock: DatabaseLock?
  private let heldUp = Atomic(false)
  /// Whether what is in the log had no room in the database, not even that of the reserve: others have taken it, or a file
  /// may not become so large.
  private var isStuck = false

  init(
    _ opened: consuming OpenedDatabase, lock: DatabaseLock, options: OpenOptions,
    thread: any (SerialExecutor & TaskExecutor), reader: Reader
  ) {
    name = "sqlite:" + options.path
    path = options.path
    vfs = options.vfs
    durability = options.durability
    patience = options.patience
    clock = options.clock
    logger = options.logger
    self.thread = thread
    self.reader = reader
    logSync = LogSync(log: opened.log, waitsElsewhere: options.waitsElsewhere)
    index = opened.index
    reserve = opened.reserve
    writer = opened.writer
    self.lock = lock
  }

  /// Whether `execute` waits for another process that is writing.
  public nonisolated var isHeldUp: Bool { heldUp.load(ordering: .acquiring) }

  /// The actor runs on the thread it was opened on.
  public nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  /// The same thread.
  public nonisolated var executor: (any TaskExecutor)? { thread }

  // MARK: Changes

  /// Runs the commands as one transaction, and then a checkpoint when it is time for one.
  ///
  /// - Throws: UNKNOWN_OUTCOME when a write failed, and ever after; UNAVAILABLE when another process goes on writing
  ///   or the disk is full.
  public func execute(_ commands: [JobCommand]) async throws(JobError) -> [Result<JobReply, JobError>] {
    let deadline = ContinuousClock.now + patience
    while true {
      // Where room is scarce the log may have to be moved first.
      if logSync.isUnderWay, !isRoomPlenty(for: commands) { await logSync.settle() }
      if let failure { throw failure }
      do throws(SQLiteError) {
        return try attempt(commands)
      } catch {
        guard error.isBusy, ContinuousClock.now < deadline else { throw ended(by: error) }
      }
      // SQLite's own way to wait would hold the thread, and a broker's sockets with it.
      heldUp.store(true, ordering: .releasing)
      try? await Task.sleep(for: .milliseconds(5))
      heldUp.store(false, ordering: .releasing)
    }
  }

  private func attempt(_ commands: [JobCommand]) throws(SQLiteError) -> [Result<JobReply, JobError>] {
    var room = try room(for: commands)
    if room < .forNewJobs { room = try roomForJobsThereAre(commands) }
    let full: SQLiteError
    do throws(SQLiteError) {
      return try transaction(commands, room: room)
    } catch {
      guard error.isFull else { throw error }
      full = error
    }
    // SQLite writes the frame that makes a transaction count last, so this one has not happened. The reserve makes
    // room to run what it holds but for new jobs, and so does the log when all of it can go to the database.
    reserve.release(after: full)
    moveLog(now: true)
    return try transaction(commands, room: try roomForJobsThereAre(commands))
  }

  private func transaction(
    _ commands: [JobCommand], room: DiskRoom
  ) throws(SQLiteError) -> [Result<JobReply, JobError>] {
    guard writer != nil else {
      return commands.map { _ in .failure(JobError(.unavailable, "The store is closed.")) }
    }
    // A checkpoint that made room has failed.
    if let failure { return commands.map { _ in .failure(failure) } }
    // Nobody else runs on this actor, so the writer stays what it was just seen to be.
    let results = try writer!.run(
      commands, candidateTypes: index.candidateTypes, room: room, at: clock())
    for change in writer!.changes { index.apply(change) }
    if writer!.checkpointer.noteCommit() {
      committed += 1
      unsynced += commands.count
    }
    moveLog()
    return results
  }

  /// Makes a checkpoint when it is time for one, or `now`; but none during a sync. Should that fail, pages of the log may
  /// be gone, and a checkpoint would copy what is there instead: it does not look at the log's checksums.
  private func moveLog(now: Bool = false) {
    guard failure == nil, !logSync.isUnderWay else { return }
    do throws(SQLiteError) {
      if now {
        try writer?.checkpointer.checkpoint()
      } else {
        try writer?.checkpointer.checkpointIfNeeded(isRoomScarce: !reserve.isHeld)
      }
      // None may have been due, or readers in its way.
      if writer?.checkpointer.isComplete == true { isStuck = false }
    } catch {
      guard error.isFull else {
        // What is committed is committed; whether it can be made durable is no longer sure.
        _ = ended(by: error)
        return
      }
      guard reserve.isHeld else {
        isStuck = true
        return
      }
      reserve.release(after: error)
      moveLog(now: true)
    }
  }

  /// Whether there is so much room on the disk that it does not matter how much these commands need exactly.
  private func isRoomPlenty(for commands: [JobCommand]) -> Bool {
    if isStuck { return false }
    let creates = commands.contains(where: \.isCreate)
    if creates { reserve.restore() }
    guard let writer, creates || !reserve.isHeld else { return true }
    let (growth, pages) = Self.need(of: commands)
    // The database may have to grow by all that is in the log.
    return reserve.isHeld && reserve.free >= reserve.keptFree + writer.checkpointer.size + 2 * growth + pages
  }

  /// What of these commands the disk has room for.
  private func room(for commands: [JobCommand]) throws(SQLiteError) -> DiskRoom {
    var room = DiskRoom.forNewJobs
    if isStuck { moveLog(now: true) }
    if !isRoomPlenty(for: commands) {
      let (growth, pages) = Self.need(of: commands)
      room = try diskRoom(for: growth, pages, logged: writer?.checkpointer.size ?? 0)
      if room < .forNewJobs, try diskRoom(for: growth, pages, logged: 0) > room {
        moveLog(now: true)
        room = try diskRoom(for: growth, pages, logged: writer?.checkpointer.size ?? 0)
      }
    }
    if commands.contains(where: \.isCreate) { reserve.note(room) }
    return room
  }

  /// Bytes by which commands make the database larger, and of the pages that they change.
  private static func need(of commands: [JobCommand]) -> (growth: Int, pages: Int) {
    (commands.reduce(0) { $0 + $1.growth }, min(commands.count * pagesOfCommand, pagesOfTransaction))
  }

  /// What of these commands the disk has room for when it has none for new jobs: those are refused, and take none.
  private func roomForJobsThereAre(_ commands: [JobCommand]) throws(SQLiteError) -> DiskRoom {
    min(try room(for: commands.filter { !$0.isCreate }), .forJobsThereAre)
  }

  /// What the disk has room for when the database may grow by `growth`, and the log by that and `pages`, behind the
  /// bytes that are `logged`.
  private func diskRoom(for growth: Int, _ pages: Int, logged: Int) throws(SQLiteError) -> DiskRoom {
    guard !isStuck, let database = try writer?.size() else { return .forDeletions }
    let due = max(0, database.all - PrivateFile.size(of: path))
    let log = PrivateFile.size(of: path + "-wal")
    let kept = logged == 0 && !reserve.isHeld ? min(log, Checkpointer.shortFile) : log
    let free = reserve.free - due - (max(kept, logged + growth + pages) - log)
    // Pages of deleted jobs are used before the database grows.
    let room = free < 0 ? free : free + database.unused
    if room >= reserve.keptFree + growth { return .forNewJobs }
    return reserve.isHeld || room >= growth ? .forJobsThereAre : .forDeletions
  }

  /// What to tell of a transaction that SQLite ended. Nothing can be relied on after a failed write, so it is the
  /// last unless the disk was only full or the database busy.
  private func ended(by error: SQLiteError) -> JobError {
    if error.isFull {
      return JobError(.unavailable, "The disk is full: nothing was done; make room and repeat it.")
    }
    if error.isBusy { return JobError(error, cannot: "write", path) }
    let failure = JobError(.unknownOutcome, "A transaction failed: \(error).")
    self.failure = self.failure ?? failure
    logger.critical("The database failed", metadata: ["path": "\(path)", "error": "\(error)"])
    return failure
  }

  /// Makes the transactions durable, with a store that promises that.
  ///
  /// - Throws: UNKNOWN_OUTCOME, and ever after.
  public func sync() async throws(JobError) {
    if let failure { throw failure }
    let target = committed
    guard durability == .full, durable < target else { return }
    let isBusy = unsynced >= Self.manyCommands
    unsynced = 0
    let code = await logSync.sync(isBusy: isBusy)
    if code != SQLITE_OK, failure == nil {
      failure = JobError(.unknownOutcome, "The write-ahead log could not be synced (SQLite \(code)).")
    }
    if let failure { throw failure }
    durable = max(durable, target)
    moveLog()
  }

  // MARK: Reads

  /// One job with its history.
  public func get(_ id: JobID) throws(JobError) -> Job? {
    try read { (writer) throws(SQLiteError) in try writer.job(id) }
  }

  /// Jobs, newest first. A page ends early when its JSON would not fit a frame.
  public func list(_ filter: JobFilter) async throws(JobError) -> JobPage {
    // The reader would look through all jobs to find none.
    if let type = filter.type, !index.hasJobs(ofType: type) { return JobPage(jobs: [], nextCursor: nil) }
    return try await reader.list(filter)
  }

  /// The place in the queue: the row is read, its rank is in memory.
  public func position(_ id: JobID) throws(JobError) -> QueuePosition {
    let entry = try read { (writer) throws(SQLiteError) in try writer.queueEntry(id) }
    return entry.map { index.position(of: $0.key, type: $0.type) } ?? .none
  }

  /// Counters, from memory.
  public func stats() -> [TypeStats] { index.stats }

  /// What the last broker left.
  public func recover() throws(JobError) -> Recovery {
    try read { (writer) throws(SQLiteError) in try writer.recover() }
  }

  private func read<T>(_ body: (inout Writer) throws(SQLiteError) -> T) throws(JobError) -> T {
    guard writer != nil else { throw JobError(.unavailable, "The store is closed.") }
    // As in `transaction`.
    do { return try body(&writer!) } catch { throw JobError(error, cannot: "read", path) }
  }

  /// Writes a compact copy to a new file of mode 0600, on a thread of its own.
  ///
  /// - Throws: ALREADY_EXISTS when there is a file at `destination`; INVALID_ARGUMENT when the database itself uses that
  ///   name.
  public nonisolated func backup(to destination: String) async throws(JobError) {
    try await withTaskExecutorPreference(DedicatedThread()) { () async throws(JobError) in
      guard !DatabaseFile.isCompanion(destination, of: path) else {
        throw JobError(
          .invalidArgument, "\(destination) is a name that the database itself uses; choose another.")
      }
      let source: Connection
      do throws(SQLiteError) { source = try Connection(path: path, readOnly: true, vfs: vfs) } catch {
        throw JobError(error, cannot: "read", path)
      }
      try Backup.write(source, to: destination)
    }
  }

  // MARK: End

  /// Closes the connections and lets another process have the database.
  public func close() async {
    reader.interrupt()
    await logSync.close()
    await reader.close()
    // As in `moveLog`; a restart looks at the checksums.
    if failure == nil { writer?.checkpointAtClose() }
    writer = nil
    lock = nil
  }
}
