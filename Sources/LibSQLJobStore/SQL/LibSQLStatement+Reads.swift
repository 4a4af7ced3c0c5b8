import JobStore

/// What is read beside the transactions.
extension LibSQLStatement {
  /// The rows of a list whose long texts are at most `?7` bytes together, or the first alone; behind the
  /// columns of each, in `foundColumn`, how many rows the list has.
  static func page(_ list: JobStatement) -> String {
    """
    SELECT * FROM (
      SELECT *, sum(size) OVER (ORDER BY seq DESC ROWS UNBOUNDED PRECEDING) AS total, count(*) OVER () AS found FROM (
        SELECT *, \(JobStatement.size(of: "metadata", "result", "error", "stage")) AS size
        FROM (\(list.sql))))
    WHERE total = size OR total <= ?7 ORDER BY seq DESC
    """
  }
  static let foundColumn = JobColumns.wholeCount + 2

  /// `JobStatement.heldClaims`, up to `?2` of jobs behind the sequence `?1`, without the texts that may be long: of jobs
  /// that others may change a broker keeps no more than the claims.
  static let heldClaims = """
    SELECT \(JobColumns.outline.replacing("stage, error", with: "NULL, NULL")), lease_ms FROM jobs
    WHERE status = 'processing' AND lease_ms IS NOT NULL AND seq > ?1 ORDER BY seq LIMIT ?2
    """

  /// How many pending jobs go before the job `?1`: in all, and of its type. No row when it is not pending.
  static let position = """
    SELECT count(*), count(*) FILTER (WHERE p.type = j.type)
    FROM (SELECT seq, priority, type FROM jobs WHERE id = ?1 AND status = 'pending') AS j CROSS JOIN (
      SELECT seq, priority, type FROM \(JobStatement.claimableJobs) WHERE \(JobStatement.claimable)
      UNION ALL
      SELECT seq, priority, type FROM \(JobStatement.delayedJobs) WHERE \(JobStatement.delayed)) AS p
    WHERE p.priority > j.priority OR p.priority = j.priority AND p.seq <= j.seq
    """

  /// How many jobs there are of each type and status.
  static let counts =
    "SELECT type, status, count(*) FROM jobs INDEXED BY jobs_by_status GROUP BY type, status"

  // MARK: What others did

  /// The oldest change that is kept, and the newest.
  static let oldestChange = "SELECT min(number) FROM job_changes"
  static let newestChange = "SELECT max(number) FROM job_changes"

  /// Where a page of `?2` changes after `?1` ends, and how many it has.
  static let journalPage = """
    SELECT max(number), count(*) FROM (
      SELECT number FROM job_changes WHERE number > ?1 ORDER BY number LIMIT ?2)
    """

  /// The jobs of that page as they are now, each once, in the order of their last change, and which of them are no
  /// more. Not what the broker `?3` did itself, but for the transactions in the JSON array `?4`, of which it doesn't
  /// know.
  static let journalJobs = """
    WITH
      page AS (
        SELECT number, broker, transaction_number, seq, id, type FROM job_changes
        WHERE number > ?1 ORDER BY number LIMIT ?2),
      latest AS (
        SELECT seq, id, type, max(number) AS number FROM page
        WHERE broker <> ?3 OR transaction_number IN (SELECT value FROM json_each(?4)) GROUP BY seq)
    SELECT j.*, latest.id, latest.type
    FROM latest LEFT JOIN (SELECT \(JobColumns.brief) FROM jobs) AS j ON j.seq = latest.seq
    ORDER BY latest.number
    """
}
