import JobModel
import JobStore

/// Reads: they do not wait for transactions, and see each one as a whole.
extension LibSQLJobStore {
  /// Bytes of the long texts in one page of a list, well within a frame.
  private static let pagePayload = Limits.frame / 4
  /// Claims in force that are read at a time.
  private static let heldAtOnce = 1000

  /// One job with its history; of a very long one, the latest.
  public nonisolated func get(_ id: JobID) async throws(JobError) -> Job? {
    let rows = try await query([
      (JobStatement.wholeJobByID.sql, [.id(id)]), (JobStatement.history.sql, [.id(id)]),
    ])
    var job = rows[0].first.flatMap { Job(row: $0, whole: true) }
    job?.history = rows[1].reversed().compactMap { AttemptRecord(row: $0) }
    return job
  }

  /// Jobs, newest first. A page ends early when its JSON would not fit a frame.
  public nonisolated func list(_ filter: JobFilter) async throws(JobError) -> JobPage {
    guard let step = SQLStep.list(filter) else { return JobPage(jobs: [], nextCursor: nil) }
    var values = step.values
    while values.count < 6 { values.append(.null) }
    values.append(.integer(Self.pagePayload))
    let rows = try await query([(LibSQLStatement.page(step.statement), values)])[0]
    let jobs = rows.prefix(filter.limit).compactMap { Job(row: $0, whole: true) }
    let found = rows.first.map { Int($0.integer(LibSQLStatement.foundColumn)) } ?? 0
    return JobPage(jobs: jobs, nextCursor: jobs.count < found ? jobs.last?.sequence : nil)
  }

  /// The place in the queue, by counting the jobs before it.
  public nonisolated func position(_ id: JobID) async throws(JobError) -> QueuePosition {
    guard let row = try await query([(LibSQLStatement.position, [.id(id)])])[0].first else { return .none }
    return QueuePosition(overall: Int(row.integer(0)) - 1, inType: Int(row.integer(1)) - 1)
  }

  /// Counters, by counting all jobs.
  public nonisolated func stats() async throws(JobError) -> [TypeStats] {
    let rows = try await query([(LibSQLStatement.counts, []), (JobStatement.loadPaused.sql, [])])
    var types: [TypeName: TypeStats] = [:]
    for row in rows[0] {
      guard let status = JobStatus(rawValue: row.text(1)) else { continue }
      types[TypeName(row.text(0)), default: TypeStats(type: row.text(0))].counts[status] = Int(row.integer(2))
    }
    for row in rows[1] {
      types[TypeName(row.text(0)), default: TypeStats(type: row.text(0))].isPaused = true
    }
    return types.sorted { $0.key < $1.key }.map { _, stats in
      var stats = stats
      for status in JobStatus.allCases { stats.counts[status, default: 0] += 0 }
      return stats
    }
  }

  /// The claims in force, whoever gave them, paused types, and jobs that wait for a moment. The claims are read in
  /// parts: what changes between two of them is told as a change.
  public func recover() async throws(JobError) -> Recovery {
    let rows = try await query([(JobStatement.loadPaused.sql, []), (JobStatement.nextDue.sql, [])])
    var recovery = Recovery(
      pausedTypes: Set(rows[0].map { TypeName($0.text(0)) }), nextDue: rows[1].first?.optionalTime(0))
    var part: [HranaRow] = []
    repeat {
      let last = part.last?.integer(0) ?? 0
      part = try await query([
        (LibSQLStatement.heldClaims, [.integer(last), .integer(Self.heldAtOnce)])
      ])[0]
      recovery.held += part.compactMap { row in
        Job(row: row, whole: false).map {
          Recovery.HeldClaim(job: $0, lease: .milliseconds(row.integer(JobColumns.briefCount)))
        }
      }
    } while part.count == Self.heldAtOnce
    return recovery
  }

  /// Runs queries on one snapshot, in one round trip; the rows of each.
  private nonisolated func query(
    _ queries: [(sql: String, values: [SQLValue])]
  ) async throws(JobError) -> [[HranaRow]] {
    do { return try await read(queries) } catch { throw JobError(.unavailable, "The database \(error)") }
  }

  nonisolated func read(
    _ queries: [(sql: String, values: [SQLValue])]
  ) async throws(HranaFailure) -> [[HranaRow]] {
    var batch = HranaBatch()
    let begin = batch.add(JobStatement.beginReading.sql)
    let steps = queries.map { batch.add($0.sql, $0.values, when: .ok(begin)) }
    batch.add("COMMIT", when: .ok(begin))
    var backoff = Backoff(patience: configuration.patience)
    while true {
      do throws(HranaFailure) {
        let result = try await client.run(batch)
        if let error = result.stepErrors.lazy.compactMap({ $0 }).first { throw .failed(error) }
        return steps.map { result.stepResults[$0]?.rows ?? [] }
      } catch {
        guard error.isPassing, await backoff.wait() else { throw error }
      }
    }
  }
}
