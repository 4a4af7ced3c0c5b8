import JobModel
import JobStore

/// Commands about many jobs.
extension CommandPlanner {
  /// Chooses the silent jobs, keeps their attempts, fails them, reads them.
  mutating func reap(
    _ cutoff: Timestamp, _ type: String?, _ sparing: [JobID], _ limit: Int, _ command: Int
  ) -> CommandPlan {
    let which: [SQLValue] = [
      .time(cutoff), .text(type), .text(JSONWriter.array(sparing.lazy.map(\.hexadecimal))),
      .integer(limit), .integer(ReapBound.payload),
    ]
    let end = transaction.values(
      [.null, .null, .time(now), .null, .text(Transition.reapedError)], command: command)
    let chosen = transaction.change(
      LibSQLStatement.chooseSilent, transaction.values(which, command: command))
    let kept = transaction.change(LibSQLStatement.recordReapedAttempts, end, after: [chosen])
    let failed = transaction.change(LibSQLStatement.reapChosen, end, after: [kept])
    let read = transaction.read(LibSQLStatement.chosenJobs, transaction.values([], command: command))
    return CommandPlan { (outcome) throws(JobError) in
      try outcome.check([chosen, kept, failed])
      return .reaped(try outcome.rows(read).compactMap { Job(row: $0, whole: false) })
    }
  }

  mutating func prune(
    _ cutoff: Timestamp, _ status: JobStatus?, _ type: String?, _ limit: Int, _ command: Int
  ) -> CommandPlan {
    let statuses = (status.map { [$0] } ?? JobStatus.allCases).filter(\.isFinished).map(\.rawValue)
    let which: [SQLValue] = [
      .text(JSONWriter.array(statuses)), .time(cutoff), .text(type), .integer(limit),
    ]
    let steps = deleteChosen(LibSQLStatement.chooseFinished, which, command)
    return CommandPlan { (outcome) throws(JobError) in
      try outcome.check(steps.changes)
      return .pruned(try steps.deleted(outcome, command))
    }
  }

  struct DeleteSteps: Sendable {
    let changes: [Int]
    let read: Int

    /// The jobs as they were, in outline. Of a repeated transaction only the journal remembers them.
    func deleted(_ outcome: TransactionOutcome, _ command: Int) throws(JobError) -> [Job] {
      if outcome.isRepeated {
        let gone = Timestamp(milliseconds: 0)
        return outcome.changed(by: command).map {
          Job(id: $0.id, type: $0.type, attempt: $0.attempt, createdAt: gone, updatedAt: gone)
        }
      }
      return try outcome.rows(read).compactMap { Job(row: $0, whole: false) }
    }
  }

  /// Chooses jobs, reads them, deletes them.
  mutating func deleteChosen(_ choice: String, _ values: [SQLValue], _ command: Int) -> DeleteSteps {
    let chosen = transaction.change(choice, transaction.values(values, command: command))
    let read = transaction.read(LibSQLStatement.chosenOutlines, transaction.values([], command: command))
    let deleted = transaction.change(
      LibSQLStatement.deleteChosen, transaction.values([], command: command), after: [chosen])
    return DeleteSteps(changes: [chosen, deleted], read: read)
  }

  /// Bytes of a snapshot's jobs in the answer, which the server would not give if it were larger than 10 MB.
  private static let snapshotSize = 6 << 20

  /// The unfinished jobs that the watch covers, and those it names, in order of creation.
  mutating func snapshot(_ selection: WatchSelection, _ limit: Int) -> CommandPlan {
    let coversAll = selection.ids.isEmpty && selection.types.isEmpty
    let read = transaction.read(
      LibSQLStatement.snapshot,
      [
        .text(JSONWriter.array(selection.ids.lazy.map(\.hexadecimal))),
        coversAll ? .null : .text(JSONWriter.array(selection.types.lazy.map(\.text))),
        // One more than may be told, to know whether there is more.
        .integer(limit + 1), .integer(Self.snapshotSize),
      ])
    return CommandPlan { (outcome) throws(JobError) in
      let rows = try outcome.rows(read)
      let jobs = rows.prefix(limit).compactMap { row in
        var job = Job(packedIn: row, whole: false)
        job?.result = row.optionalText(1)
        return job
      }
      return .snapshot(jobs, truncated: jobs.count < rows.first.map { Int($0.integer(2)) } ?? 0)
    }
  }
}
