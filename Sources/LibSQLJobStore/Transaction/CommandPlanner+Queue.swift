import JobModel
import JobStore

/// What comes into the queue and what is taken from it.
extension CommandPlanner {
  /// Metadata of one reply to a claim, in bytes: with a job that exceeds it by itself still within a frame.
  private static let claimedPayload = Limits.frame / 2

  // MARK: Creating

  private struct CreateSteps: Sendable {
    let new: NewJob
    let insert: Int
    let recorded: Int
    let compared: Int
    let read: Int
  }

  /// Each job is inserted unless it, or one with its unique key, is there; a job with its id and other content undoes
  /// the whole command.
  mutating func create(_ jobs: [NewJob], _ command: Int) -> CommandPlan {
    let savepoint = jobs.count > 1 ? transaction.change(SQLStep(.savepoint)) : nil
    var last = savepoint
    var steps: [CreateSteps] = []
    for new in jobs {
      let values: [SQLValue] = [
        .id(new.id), .text(new.type), .integer(Int64(new.priority)), .text(new.metadata),
        .integer(new.maxRetries), .integer(new.maxLost),
        .time(new.notBefore.flatMap { $0 > now ? $0 : nil }), .time(new.notBefore), .text(new.uniqueKey),
        .time(now),
      ]
      let insert = transaction.change(SQLStep(.insertJob, values), after: last)
      let record = transaction.values([.id(new.id)], command: command)
      let recorded = transaction.change(LibSQLStatement.recordChange, record, after: insert)
      let compared = transaction.change(
        LibSQLStatement.refuseOtherContent, Array(values[..<9]), after: recorded)
      last = compared
      let read = transaction.read(LibSQLStatement.createdJob, [.id(new.id), .text(new.uniqueKey)])
      steps.append(
        CreateSteps(new: new, insert: insert, recorded: recorded, compared: compared, read: read))
    }
    if let savepoint, let last { end(savepoint, unlessOK: last) }
    return CommandPlan { [steps] (outcome) throws(JobError) in
      if !jobs.isEmpty { try outcome.checkFirstAnswer(command: command) }
      var fresh = Set(outcome.changed(by: command).map(\.id))
      var created: [CreatedJob] = []
      for step in steps {
        let row = try outcome.rows(step.read).first
        var job = row.flatMap { Job(row: $0, whole: true) }
        if outcome.error(step.compared)?.message.hasSuffix(LibSQLStatement.hasOtherContent) == true {
          let message = "id \(step.new.id) belongs to a job with other content; use a new id"
          throw JobError(.alreadyExists, message, job: job?.outline)
        }
        try outcome.check([step.insert, step.recorded, step.compared])
        if row?.isNull(JobColumns.briefCount) == true { job?.metadata = step.new.metadata }
        guard let job else {
          throw JobError(.internal, "Job \(step.new.id) could not be inserted, yet no job is in its way")
        }
        created.append(CreatedJob(job: job, created: fresh.remove(step.new.id) != nil))
      }
      return .created(created)
    }
  }

  // MARK: Claiming

  /// Chooses the jobs, takes them, reads them.
  mutating func claim(
    _ types: [String], _ maxJobs: Int, _ lease: Duration, _ worker: WorkerIdentity, _ command: Int
  ) -> CommandPlan {
    let wanted: [SQLValue] = [
      types.isEmpty ? .null : .text(JSONWriter.array(types)), .integer(maxJobs),
      .integer(Self.claimedPayload),
    ]
    let chosen = transaction.change(
      LibSQLStatement.chooseClaimable, transaction.values(wanted, command: command))
    let holder: [SQLValue] = [
      .null, .time(now), .integer(lease.milliseconds), .time(now + lease), .text(worker.name),
      .integer(Int64(worker.pid)), .integer(Int64(worker.uid)),
    ]
    let taken = transaction.change(
      LibSQLStatement.claimChosen, transaction.values(holder, command: command), after: chosen)
    let read = transaction.read(LibSQLStatement.claimedJobs, transaction.values([], command: command))
    return CommandPlan { (outcome) throws(JobError) in
      try outcome.check([chosen, taken])
      return .claimed(try outcome.rows(read).compactMap { Job(row: $0, whole: true) })
    }
  }

  /// Lets the jobs be claimed whose moment has come.
  mutating func promote(_ command: Int) -> CommandPlan {
    let chosen = transaction.change(
      LibSQLStatement.chooseDue, transaction.values([.time(now)], command: command))
    let promoted = transaction.change(
      LibSQLStatement.promoteChosen, transaction.values([], command: command), after: chosen)
    let next = transaction.read(JobStatement.nextDue.sql)
    return CommandPlan { (outcome) throws(JobError) in
      try outcome.check([chosen, promoted])
      let ready = Dictionary(outcome.changed(by: command).map { ($0.type, 1) }, uniquingKeysWith: +)
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
      let record = transaction.values([.id(report.claim.id)], command: command)
      changes += [change, transaction.change(LibSQLStatement.recordChange, record, after: change)]
    }
    return CommandPlan { [changes] (outcome) throws(JobError) in
      try outcome.check(changes)
      let heard = Set(outcome.changed(by: command).map { ClaimToken(id: $0.id, attempt: $0.attempt) })
      return .reported(stale: reports.map(\.claim).filter { !heard.contains($0) })
    }
  }
}
