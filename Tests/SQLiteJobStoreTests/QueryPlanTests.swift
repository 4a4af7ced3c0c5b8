import JobStore
import Testing

@testable import SQLiteJobStore

/// What the store runs for every request must stay fast however many jobs there are.
@Suite struct QueryPlanTests {
  /// Statements that may sort, or read a whole index: those of start-up, or of few rows.
  private static let exempt: Set<JobStatement> = [.loadReady, .newestWithPrefix, .due]

  @Test(arguments: JobStatement.allCases.filter { !exempt.contains($0) })
  func `no statement reads a whole table or sorts`(_ statement: JobStatement) throws {
    for line in try plan(of: statement) {
      #expect(!line.hasPrefix("SCAN jobs"))
      #expect(!line.contains("TEMP B-TREE"))
    }
  }

  @Test(arguments: [
    (JobStatement.nextOfType, "jobs_claimable"), (.nextKeyOfType, "jobs_claimable"),
    (.readyJobsOfType, "jobs_claimable"), (.waitingJobs, "jobs_delayed"), (.due, "jobs_delayed"),
    (.promote, "jobs_delayed"), (.nextDue, "jobs_delayed"), (.loadReady, "jobs_claimable"),
    (.loadDelayed, "jobs_delayed"), (.loadOthers, "COVERING INDEX jobs_by_status"),
  ])
  func `pending jobs are found by the index that holds no others`(_ statement: JobStatement, _ index: String)
    throws
  {
    let lines = try plan(of: statement).filter { $0.contains("INDEX") }
    #expect(!lines.isEmpty)
    for line in lines { #expect(line.contains(index)) }
  }

  private func plan(of statement: JobStatement) throws -> [String] {
    let connection = try Connection(path: ":memory:")
    for sql in JobSchema.migrations.joined() { try connection.run(sql) }
    return try connection.prepare("EXPLAIN QUERY PLAN " + statement.sql).all { $0.text(3) }
  }
}
