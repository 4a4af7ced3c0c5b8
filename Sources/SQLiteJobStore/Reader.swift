import JobModel
import JobStore

/// Lists on a connection and a thread of their own: one may read through many jobs, and nobody waits for it.
actor Reader {
  /// Bytes of the long texts in one page of a list: with one more job still within a frame.
  private static let pagePayload = Limits.frame / 4

  private let thread: DedicatedThread
  private var statements: StatementCache?
  private let interrupter: Interrupter

  /// - Parameter thread: where the connection has been opened and is used from now on.
  init(path: String, vfs: String?, thread: DedicatedThread) throws(SQLiteError) {
    self.thread = thread
    let connection = try Connection(path: path, readOnly: true, vfs: vfs)
    connection.setBusyTimeout(milliseconds: 1000)
    statements = StatementCache(connection)
    interrupter = Interrupter(connection)
  }

  nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  /// A page of jobs, newest first.
  func list(_ filter: JobFilter) throws(JobError) -> JobPage {
    guard let step = SQLStep.list(filter) else { return JobPage(jobs: [], nextCursor: nil) }
    return try read { (statements) throws(SQLiteError) in
      var jobs: [Job] = []
      var payload = 0
      var hasMore = false
      try statements(step.statement).forEach(step.values) { row in
        guard let job = Job(row: row, whole: true) else { return true }
        for text in [job.metadata, job.result, job.error, job.stage] { payload += text?.utf8.count ?? 0 }
        hasMore = jobs.count == filter.limit || (!jobs.isEmpty && payload > Self.pagePayload)
        if !hasMore { jobs.append(job) }
        return !hasMore
      }
      return JobPage(jobs: jobs, nextCursor: hasMore ? jobs.last?.sequence : nil)
    }
  }

  /// Ends the list that is being read, and those that wait for it: who closes the store does not.
  nonisolated func interrupt() { interrupter.fire() }

  /// Lets go of the connection.
  func close() {
    _ = interrupter.disarm()
    statements = nil
  }

  private func read<T>(
    _ body: (inout StatementCache) throws(SQLiteError) -> T
  ) throws(JobError) -> T {
    let closed = JobError(.unavailable, "The store is closed.")
    guard statements != nil, !interrupter.hasFired else { throw closed }
    do {
      return try body(&statements!)  // Just seen not to be nil, and nobody else runs on this actor.
    } catch { throw interrupter.hasFired ? closed : JobError(error, while: "Read") }
  }
}
