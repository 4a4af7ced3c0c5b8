import JobModel
import JobStore

/// Asks for the changes of other brokers.
struct JournalQuery {
  /// The last change that is known.
  var after: Int64
  /// Changes to look at.
  var limit: Int
  /// The broker that asks, whose own changes are left out.
  var broker: Int64
  /// Its own transactions that are not.
  var including: Set<Int64>
}

/// What it finds.
struct JournalPage {
  var changes: StoreChanges
  /// The last change that is known now.
  var end: Int64
}

extension LibSQLJobStore {
  nonisolated func read(_ query: JournalQuery) async throws(HranaFailure) -> JournalPage {
    let page: [SQLValue] = [.integer(query.after), .integer(query.limit)]
    let doubtful = "[" + query.including.map(String.init).joined(separator: ",") + "]"
    let rows = try await read([
      (LibSQLStatement.journalBounds, []), (LibSQLStatement.journalPage, page),
      (LibSQLStatement.journalJobs, page + [.integer(query.broker), .text(doubtful)]),
      (JobStatement.loadPaused.sql, []),
    ])
    var changes = StoreChanges()
    let oldest = rows[0].first?.integer(0) ?? 0
    changes.isComplete = oldest <= query.after + 1
    changes.hasMore = rows[1].first.map { Int($0.integer(1)) == query.limit } ?? false
    changes.pausedTypes = Set(rows[3].map { $0.text(0) })
    for row in rows[2] {
      if let job = Job(row: row, whole: false) {
        changes.jobs.append(job)
      } else if let id = row.id(JobColumns.briefCount) {
        changes.deleted.append(.init(id: id, type: row.text(JobColumns.briefCount + 1)))
      }
    }
    return JournalPage(changes: changes, end: rows[1].first?.optionalInteger(0) ?? query.after)
  }
}
