import JobModel
import JobStore

extension CommandRunner {
  /// `JobCommand.create`.
  mutating func create(_ jobs: [NewJob], at now: Timestamp) throws(SQLiteError) -> Result<JobReply, JobError>
  {
    // One statement is atomic by itself.
    if jobs.count == 1 { return try insert(jobs[0], at: now).map { .created([$0]) } }
    return try atomically { (runner) throws(SQLiteError) in
      var created: [CreatedJob] = []
      created.reserveCapacity(jobs.count)
      for job in jobs {
        switch try runner.insert(job, at: now) {
        case .success(let entry): created.append(entry)
        case .failure(let error): return .failure(error)
        }
      }
      return .success(.created(created))
    }
  }

  private mutating func insert(
    _ new: NewJob, at now: Timestamp
  ) throws(SQLiteError) -> Result<CreatedJob, JobError> {
    let attemptsBefore = try statements(.attemptsBefore).first([.id(new.id)]) { Int($0.integer(0)) } ?? 0
    let notBefore = new.notBefore.flatMap { $0 > now ? $0 : nil }
    let values: [SQLValue] = [
      .id(new.id), .text(new.type), .integer(Int64(new.priority)), .text(new.metadata),
      .integer(new.maxRetries),
      .integer(new.maxLost), .time(notBefore), .time(new.notBefore), .text(new.uniqueKey), .time(now),
      .integer(attemptsBefore),
    ]
    guard try statements.run(SQLStep(.insertJob, values)) else { return try existing(new, values) }
    let job = Job(
      id: new.id, type: new.type, maxRetries: new.maxRetries, maxLost: new.maxLost,
      priority: new.priority, notBefore: notBefore, uniqueKey: new.uniqueKey, attempt: attemptsBefore,
      createdAt: now, updatedAt: now, sequence: statements.connection.lastInsertedRow)
    record(.added(QueueEntry(job)))
    return .success(CreatedJob(job: job, created: true))
  }

  /// The job that kept `new` from being created: the same one, created before; another with its id, which is an
  /// error; or the unfinished one with its unique key.
  private mutating func existing(
    _ new: NewJob, _ values: [SQLValue]
  ) throws(SQLiteError) -> Result<CreatedJob, JobError> {
    let found = try statements(.jobToCompare).first(Array(values.prefix(9))) { row in
      (job: Job(row: row, whole: false), isSame: row.integer(JobColumns.briefCount) != 0)
    }
    if let job = found?.job {
      if found?.isSame == true { return .success(CreatedJob(job: job, created: false)) }
      let message = "id \(new.id) belongs to a job with other content; use a new id."
      return .failure(JobError(.alreadyExists, message, job: job))
    }
    guard let key = new.uniqueKey, let job = try holder(ofUniqueKey: key) else {
      return .failure(JobError(.internal, "Job \(new.id) could not be inserted, yet no job is in its way."))
    }
    return .success(CreatedJob(job: job, created: false))
  }

  /// The unfinished job with a unique key.
  mutating func holder(ofUniqueKey key: String) throws(SQLiteError) -> Job? {
    try statements(.jobByUniqueKey).first([.text(key)]) { Job(row: $0, whole: false) }
  }
}
