import HashTreeCollections
import JobModel
import JobStore
import Logging

/// The connection that writes: runs a batch of commands as one transaction, and reads single jobs.
struct Writer {
  private let connection: Connection
  private var runner: CommandRunner
  var checkpointer: Checkpointer

  init(_ connection: Connection, statements: StatementCache, options: OpenOptions) throws(SQLiteError) {
    self.connection = connection
    connection.setBusyTimeout(milliseconds: 0)  // The store waits, without its thread.
    runner = CommandRunner(statements: statements, retryPolicy: options.retryPolicy, random: options.random)
    checkpointer = try Checkpointer(
      connection, frames: options.checkpointFrames, logger: options.logger)
  }

  /// Closing leaves all in the database, and no log.
  func checkpointAtClose() { connection.setCheckpointAtClose(true) }

  /// What the last transaction changed.
  var changes: [QueueChange] { runner.changes }

  /// Runs the commands and commits. What it throws has undone them all, as far as SQLite knows.
  ///
  /// - Parameters:
  ///   - candidateTypes: as `QueueIndex` has them.
  ///   - room: what there is room for on the disk; other commands are refused.
  mutating func run(
    _ commands: [JobCommand], candidateTypes: TreeSet<TypeName>, room: DiskRoom, at now: Timestamp
  ) throws(SQLiteError) -> [Result<JobReply, JobError>] {
    runner.begin(candidateTypes: candidateTypes)
    try connection.beginTransaction()
    do throws(SQLiteError) {
      var results: [Result<JobReply, JobError>] = []
      results.reserveCapacity(commands.count)
      for command in commands {
        if let refusal = room.refusal(of: command) {
          results.append(.failure(refusal))
        } else {
          results.append(try runner.run(command, at: now))
        }
      }
      try connection.commitTransaction()
      return results
    } catch {
      connection.rollBack()
      throw error
    }
  }

  /// Bytes of the database, with what of it is in the log only, and those among them that hold nothing and are used
  /// before it grows.
  func size() throws(SQLiteError) -> (all: Int, unused: Int) {
    let page = try connection.integer("PRAGMA page_size") ?? 0
    let all = try connection.integer("PRAGMA page_count") ?? 0
    let unused = try connection.integer("PRAGMA freelist_count") ?? 0
    return (Int(all * page), Int(unused * page))
  }

  /// A job with its history; of a very long one, the latest.
  mutating func job(_ id: JobID) throws(SQLiteError) -> Job? {
    // One snapshot for both tables.
    try runner.statements(.beginReading).run()
    defer { connection.rollBack() }
    var job = try runner.statements(.wholeJobByID).first([.id(id)]) { Job(row: $0, whole: true) }
    if job != nil {
      job?.history = try runner.statements(.history).all([.id(id)]) { AttemptRecord(row: $0) }.reversed()
    }
    return job
  }

  /// What finds a job's place in the index; nil when there is no such job or it is not pending.
  mutating func queueEntry(_ id: JobID) throws(SQLiteError) -> QueueEntry? {
    try runner.job(id).flatMap { $0.status == .pending ? QueueEntry($0) : nil }
  }

  /// What the last broker left.
  mutating func recover() throws(SQLiteError) -> Recovery {
    var recovery = Recovery()
    recovery.held = try runner.statements(.heldClaims).all { row in
      Job(row: row, whole: false).map {
        Recovery.HeldClaim(job: $0, lease: .milliseconds(row.integer(JobColumns.briefCount)))
      }
    }
    recovery.pausedTypes = Set(try runner.statements(.loadPaused).all { TypeName($0.text(0)) })
    recovery.nextDue = try runner.statements(.nextDue).first([]) { $0.optionalTime(0) }
    return recovery
  }
}
