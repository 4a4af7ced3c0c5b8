import JobModel
import JobStore

/// Which part of the journal is to be read.
struct JournalPage: Sendable {
  /// The last change that is known.
  var after: Int64
  /// Changes to look at.
  var limit: Int
  /// The broker's own transactions of which it does not know what they did.
  var including: Set<Int64>
}

extension CommandPlanner {
  /// What other brokers changed; without the recovery, which takes reads of its own.
  mutating func changes() -> CommandPlan {
    let page: [SQLValue] = [.integer(journal.after), .integer(journal.limit)]
    let doubtful = "[" + journal.including.map(String.init).joined(separator: ",") + "]"
    let oldest = transaction.read(LibSQLStatement.oldestChange)
    let end = transaction.read(LibSQLStatement.journalPage, page)
    let jobs = transaction.read(
      LibSQLStatement.journalJobs, page + [.integer(transaction.key.broker), .text(doubtful)])
    let paused = transaction.read(JobStatement.loadPaused.sql)
    return CommandPlan { [journal] (outcome) throws(JobError) in
      var changes = StoreChanges()
      let first = try outcome.rows(oldest).first?.optionalInteger(0) ?? 0
      changes.isComplete = first <= journal.after + 1
      let bounds = try outcome.rows(end).first
      changes.last = bounds?.optionalInteger(0) ?? journal.after
      changes.hasMore = bounds.map { Int($0.integer(1)) == journal.limit } ?? false
      changes.pausedTypes = Set(try outcome.rows(paused).map { TypeName($0.text(0)) })
      for row in try outcome.rows(jobs) {
        if let job = Job(row: row, whole: false) {
          changes.jobs.append(job)
        } else if let id = row.id(JobColumns.briefCount) {
          changes.deleted.append(.init(id: id, type: row.text(JobColumns.briefCount + 1)))
        }
      }
      return .changes(changes)
    }
  }
}
