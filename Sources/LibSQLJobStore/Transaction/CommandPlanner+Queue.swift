import JobModel
import JobStore

/// What comes into the queue and what is taken from it.
extension CommandPlanner {
  // MARK: Creating

  private struct CreateSteps: Sendable {
    let new: NewJob
    let insert: Int
    let recorded: Int
    let existing: Int

    /// The job that was there, when there was one.
    ///
    /// - Throws: Why the job could not be created.
    func found(_ outcome: TransactionOutcome) throws(JobError) -> Job? {
      if let error = outcome.error(insert), !error.message.contains("UNIQUE constraint failed: jobs.") {
        try outcome.check([insert])
      }
      try outcome.check([recorded])
      guard let row = outcome.rowsIfRead(existing).first, let job = Job(packedIn: row, whole: false)
      else {
        return nil
      }
      guard row.integer(1) != 0 || job.id != new.id else {
        let message = "id \(new.id) belongs to a job with other content; use a new id"
        throw JobError(.alreadyExists, message, job: job)
      }
      return job
    }
  }

  /// Each job is inserted unless it, or one with its unique key, is there; a job with its id and other content undoes
  /// the whole command.
  mutating func create(_ jobs: [NewJob], _ command: Int) -> CommandPlan {
    let savepoint = jobs.count > 1 ? transaction.change(SQLStep(.savepoint)) : nil
    var last = savepoint.map { [$0] } ?? []
    var steps: [CreateSteps] = []
    for new in jobs {
      let values: [SQLValue] = [
        .id(new.id), .text(new.type), .integer(Int64(new.priority)), .text(new.metadata),
        .integer(new.maxRetries), .integer(new.maxLost), .time(notBefore(new)), .time(new.notBefore),
        .text(new.uniqueKey),
      ]
      let insert = transaction.change(JobStatement.insertNewJob, values + [.time(now), .null], after: last)
      let record = transaction.values(of: new.id, command: command)
      let recorded = transaction.change(LibSQLStatement.recordNew, record, after: [insert])
      if savepoint != nil {
        last = [
          recorded, transaction.change(LibSQLStatement.refuseOther, values, after: last, unlessOK: insert),
        ]
      }
      let existing = transaction.read(LibSQLStatement.existingJob, values, unlessOK: insert)
      steps.append(CreateSteps(new: new, insert: insert, recorded: recorded, existing: existing))
    }
    if let savepoint { transaction.end(savepoint, unlessOK: last) }
    return CommandPlan { [steps, self] (outcome) throws(JobError) in
      if !jobs.isEmpty { try outcome.checkFirstAnswer(command: command) }
      var fresh = Dictionary(
        outcome.changed(by: command).map { ($0.id, $0) }, uniquingKeysWith: { a, _ in a })
      var created: [CreatedJob] = []
      for step in steps {
        let existing = try step.found(outcome)
        if let inserted = fresh.removeValue(forKey: step.new.id) {
          created.append(CreatedJob(job: job(step.new, inserted), created: true))
        } else if let existing {
          created.append(CreatedJob(job: existing, created: false))
        }
      }
      // One that is neither was undone because of a later one, which has thrown by now.
      guard created.count == jobs.count else {
        throw JobError(.internal, "A job could not be inserted, yet no job is in its way")
      }
      return .created(created)
    }
  }

  private func notBefore(_ new: NewJob) -> Timestamp? { new.notBefore.flatMap { $0 > now ? $0 : nil } }

  /// A job that was just created.
  private func job(_ new: NewJob, _ inserted: TransactionOutcome.ChangedJob) -> Job {
    Job(
      id: new.id, type: new.type, maxRetries: new.maxRetries, maxLost: new.maxLost,
      priority: new.priority, notBefore: notBefore(new), uniqueKey: new.uniqueKey, attempt: inserted.attempt,
      createdAt: now, updatedAt: now, sequence: inserted.sequence)
  }

  // MARK: Claiming

  /// Chooses the jobs, takes them, reads them.
  mutating func claim(
    _ types: [String], _ maxJobs: Int, _ lease: Duration, _ worker: WorkerIdentity, _ command: Int
  ) -> CommandPlan {
    let chosen: Int
    if types.count == 1, maxJobs == 1 {
      chosen = transaction.change(
        LibSQLStatement.chooseNextOfType, transaction.values([.text(types[0])], command: command))
    } else {
      let wanted: [SQLValue] = [
        types.isEmpty ? .null : .text(JSONWriter.array(types)), .integer(maxJobs),
        .integer(Job.claimedAtOnce),
      ]
      chosen = transaction.change(
        LibSQLStatement.chooseClaimable, transaction.values(wanted, command: command))
    }
    let holder: [SQLValue] = [
      .null, .time(now), .integer(lease.milliseconds), .time(now + lease), .text(worker.name),
      .integer(Int64(worker.pid)), .integer(Int64(worker.uid)),
    ]
    let taken = transaction.change(
      LibSQLStatement.claimChosen, transaction.values(holder, command: command), after: [chosen])
    let read = transaction.read(LibSQLStatement.claimedJobs, transaction.values([], command: command))
    return CommandPlan { (outcome) throws(JobError) in
      try outcome.check([chosen, taken])
      return .claimed(try outcome.rows(read).compactMap { Job(packedIn: $0, whole: true) })
    }
  }

  /// Lets the jobs be claimed whose moment has come; when more are due, the next one is due already.
  mutating func promote(_ command: Int) -> CommandPlan {
    let first: [SQLValue] = [.time(now), .integer(JobStatement.promotedAtOnce)]
    let chosen = transaction.change(LibSQLStatement.chooseDue, transaction.values(first, command: command))
    let promoted = transaction.change(
      LibSQLStatement.promoteChosen, transaction.values([], command: command), after: [chosen])
    let next = transaction.read(JobStatement.nextDue.sql)
    return CommandPlan { (outcome) throws(JobError) in
      try outcome.check([chosen, promoted])
      let ready = Dictionary(outcome.changed(by: command).map { (TypeName($0.type), 1) }, uniquingKeysWith: +)
      return .promoted(ready, nextDue: try outcome.rows(next).first?.optionalTime(0))
    }
  }

  // MARK: Reports

  mutating func report(_ reports: [HolderReport], _ command: Int) -> CommandPlan {
    var changes: [Int] = []
    for report in reports {
      let values: [SQLValue] = [
        .id(report.claim.id), .integer(report.claim.attempt), .time(report.heardAt),
        report.update.progress.map { .real($0) } ?? .null, .flag(report.update.stage != .keep),
        report.update.stage.value, .time(report.leaseExpiresAt),
      ]
      let change = transaction.change(SQLStep(.report, values))
      let record = transaction.values(of: report.claim.id, command: command)
      changes += [change, transaction.change(LibSQLStatement.recordChange, record, after: [change])]
    }
    return CommandPlan { [changes] (outcome) throws(JobError) in
      try outcome.check(changes)
      let heard = Set(outcome.changed(by: command).map { ClaimToken(id: $0.id, attempt: $0.attempt) })
      return .reported(stale: reports.map(\.claim).filter { !heard.contains($0) })
    }
  }
}
