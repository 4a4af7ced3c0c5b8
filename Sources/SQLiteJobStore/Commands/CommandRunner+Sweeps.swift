import JobModel
import JobStore

/// Commands about many jobs.
extension CommandRunner {
  /// `JobCommand.report`.
  mutating func report(_ reports: [HolderReport]) throws(SQLiteError) -> Result<JobReply, JobError> {
    try atomically { (runner) throws(SQLiteError) in
      var stale: [ClaimToken] = []
      for report in reports {
        let values: [SQLValue] = [
          .id(report.claim.id), .integer(report.claim.attempt), .time(report.heardAt),
          report.update.progress.map { .real($0) } ?? .null, .flag(report.update.stage != .keep),
          report.update.stage.value, .time(report.leaseExpiresAt),
        ]
        if try !runner.statements.run(SQLStep(.report, values)) { stale.append(report.claim) }
      }
      return .success(.reported(stale: stale))
    }
  }

  /// `JobCommand.reap`.
  mutating func reap(
    before cutoff: Timestamp, type: String?, sparing: [JobID], limit: Int, at now: Timestamp
  ) throws(SQLiteError) -> Result<JobReply, JobError> {
    let spared = Set(sparing)
    var silent: [ClaimToken] = []
    try statements(.reapable).forEach([.time(cutoff), .text(type)]) { row in
      if let id = row.id(0), !spared.contains(id), silent.count < limit {
        silent.append(ClaimToken(id: id, attempt: Int(row.integer(1))))
      }
      return silent.count < limit
    }
    var reaped: [Job] = []
    var payload = 0
    for claim in silent where payload <= ReapBound.payload {
      let outcome = try perform(.reap(claim, before: cutoff, at: now))
      guard case .success(.job(let job, changed: true)) = outcome else { continue }
      payload += job.result?.utf8.count ?? 0
      reaped.append(job)
    }
    return .success(.reaped(reaped))
  }

  /// `JobCommand.promote`: when more are due, the next one is due already.
  mutating func promote(at now: Timestamp) throws(SQLiteError) -> Result<JobReply, JobError> {
    let first: [SQLValue] = [.time(now), .integer(JobStatement.promotedAtOnce)]
    let due = try statements(.due).all(first) { (TypeName($0.text(0)), Int($0.integer(1))) }
    if !due.isEmpty { _ = try statements.run(SQLStep(.promote, first)) }
    for (type, _) in due { record(.promoted(type)) }
    let next = try statements(.nextDue).first([]) { $0.optionalTime(0) }
    // Types of an adopted database that are no UTF-8 may be the same text here.
    return .success(.promoted(Dictionary(due, uniquingKeysWith: +), nextDue: next))
  }

  /// `JobCommand.prune`: the oldest of each status. The walk ends at the first job that was created too late to
  /// have finished before the cutoff, so that it reads little more than it deletes.
  mutating func prune(
    before cutoff: Timestamp, status: JobStatus?, type: String?, limit: Int
  ) throws(SQLiteError) -> Result<JobReply, JobError> {
    var jobs: [Job] = []
    for status in status.map({ [$0] }) ?? JobStatus.allCases where status.isFinished && jobs.count < limit {
      try statements(.oldest).forEach([.text(status.rawValue), .text(type)]) { row in
        guard let job = Job(row: row, whole: false), job.createdAt < cutoff else { return false }
        if let finishedAt = job.finishedAt, finishedAt < cutoff { jobs.append(job) }
        return jobs.count < limit
      }
    }
    for job in jobs {
      _ = try statements.run(SQLStep(.deleteJob, [.id(job.id)]))
      record(.removed(QueueEntry(job)))
    }
    return .success(.pruned(jobs))
  }

  /// `JobCommand.snapshot`: the unfinished jobs that the watch covers, and those it names, in order of creation.
  mutating func snapshot(
    _ selection: WatchSelection, limit: Int
  ) throws(SQLiteError) -> Result<JobReply, JobError> {
    var snapshot = SnapshotCollector(limit: limit)
    func collect(
      _ statement: JobStatement, _ values: [SQLValue], of types: Set<TypeName>? = nil
    ) throws(SQLiteError) {
      guard snapshot.hasRoom else { return }
      try statements(statement).forEach(values) { row in
        if let types, !types.contains(TypeName(row.text(JobColumns.type))) { return true }
        if let job = Job(row: row, whole: false) { snapshot.add(job) }
        return snapshot.hasRoom
      }
    }
    for id in selection.ids { try collect(.jobByID, [.id(id)]) }
    // One more than may be told, to know whether there is more.
    let bound = SQLValue.integer(limit + 1)
    if selection.ids.isEmpty, selection.types.isEmpty {
      try collect(.processingJobs, [.null, bound])
      try collect(.pendingJobs, [bound])
    }
    if let first = selection.types.first {
      // No index has these by type: one walk for all types, or a watch of a thousand would take all others' time.
      let isOnly = selection.types.count == 1
      let walk: [SQLValue] = isOnly ? [.text(first.text), bound] : [.null, .integer(Int64.max)]
      let types = isOnly ? nil : Set(selection.types)
      try collect(.processingJobs, walk, of: types)
      for type in selection.types { try collect(.readyJobsOfType, [.text(type.text), bound]) }
      try collect(.waitingJobs, walk, of: types)
    }
    return .success(snapshot.reply)
  }
}
