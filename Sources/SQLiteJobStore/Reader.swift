import JobModel
import JobStore

/// Reads on a connection and a thread of their own, so that they wait for no write.
actor Reader {
  /// Bytes of metadata and results in one page of a list: with one more job still within a frame.
  private static let pagePayload = Limits.frame / 4

  private let thread: DedicatedThread
  private var statements: StatementCache?

  /// - Parameter thread: where the connection has been opened and is used from now on.
  init(path: String, vfs: String?, thread: DedicatedThread) throws(SQLiteError) {
    self.thread = thread
    statements = StatementCache(try Connection(path: path, readOnly: true, vfs: vfs))
    statements?.connection.setBusyTimeout(milliseconds: 1000)
  }

  nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  /// A job with its history.
  func get(_ id: JobID) throws(JobError) -> Job? {
    try read { (statements) throws(SQLiteError) in
      // One snapshot for both tables.
      try statements(.beginReading).run()
      defer { statements.connection.rollBack() }
      var job = try statements(.wholeJobByID).first([.id(id)]) { Job(row: $0, whole: true) }
      if let sequence = job?.sequence {
        job?.history = try statements(.history).all([.integer(sequence)]) { AttemptRecord(row: $0) }
      }
      return job
    }
  }

  /// What finds a job's place in the index; nil when there is no such job or it is not pending.
  func queueEntry(_ id: JobID) throws(JobError) -> QueueEntry? {
    try read { (statements) throws(SQLiteError) in
      let job = try statements(.jobByID).first([.id(id)]) { Job(row: $0, whole: false) }
      return job.flatMap { $0.status == .pending ? QueueEntry($0) : nil }
    }
  }

  /// A page of jobs, newest first.
  func list(_ filter: JobFilter) throws(JobError) -> JobPage {
    guard let (statement, values) = Self.query(filter) else { return JobPage(jobs: [], nextCursor: nil) }
    return try read { (statements) throws(SQLiteError) in
      var jobs: [Job] = []
      var payload = 0
      var hasMore = false
      try statements(statement).forEach(values) { row in
        guard let job = Job(row: row, whole: true) else { return true }
        payload += (job.metadata?.utf8.count ?? 0) + (job.result?.utf8.count ?? 0)
        hasMore = jobs.count == filter.limit || (!jobs.isEmpty && payload > Self.pagePayload)
        if !hasMore { jobs.append(job) }
        return !hasMore
      }
      return JobPage(jobs: jobs, nextCursor: hasMore ? jobs.last?.sequence : nil)
    }
  }

  /// Lets go of the connection.
  func close() { statements = nil }

  private func read<T>(
    _ body: (inout StatementCache) throws(SQLiteError) -> T
  ) throws(JobError) -> T {
    guard statements != nil else { throw JobError(.unavailable, "The store is closed.") }
    do {
      return try body(&statements!)  // Just seen not to be nil, and nobody else runs on this actor.
    } catch { throw JobError(error, while: "Read") }
  }

  /// The statement for a filter, asking for one job more than wanted; nil when no job can match.
  private static func query(_ filter: JobFilter) -> (JobStatement, [SQLValue])? {
    var values: [SQLValue] = [
      .integer(filter.cursor ?? .max), .integer(filter.limit + 1), .text(filter.status?.rawValue),
      .text(filter.type),
    ]
    if let prefix = filter.idPrefix, !prefix.isEmpty {
      guard prefix.utf8.count <= 32,
        let low = JobID(prefix + String(repeating: "0", count: 32 - prefix.utf8.count)),
        let high = JobID(prefix + String(repeating: "f", count: 32 - prefix.utf8.count))
      else { return nil }
      values += [.id(low), .id(high)]
      return (.newestWithPrefix, values)
    }
    if filter.status != nil { return (.newestOfStatus, values) }
    if filter.type != nil { return (.newestOfType, [values[0], values[1], values[3]]) }
    return (.newest, [values[0], values[1]])
  }
}
