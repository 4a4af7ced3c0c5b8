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
    SELECT \(JobColumns.columns(without: ["stage", "error", "result"])), lease_ms FROM jobs
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

  /// What a watch begins with: the jobs whose ids are in the JSON array `?1`, and up to `?3` unfinished ones of the types
  /// in the JSON array `?2`, of all if that is NULL; as many of them, in order of creation, as take `?4` bytes in the
  /// answer. Each packed, then its result, then how many it would be.
  ///
  /// One statement for all, for only so their size has one bound.
  static let snapshot = """
    WITH
      covered (seq) AS (
        SELECT seq FROM jobs WHERE id IN (SELECT unhex(value) FROM json_each(?1))
        UNION SELECT * FROM (
          SELECT seq FROM jobs
          WHERE status = 'processing' AND (?2 IS NULL OR type IN (SELECT value FROM json_each(?2)))
          ORDER BY seq LIMIT ?3)
        UNION SELECT * FROM (
          SELECT seq FROM jobs WHERE status = 'pending' AND ?2 IS NULL ORDER BY seq LIMIT ?3)
        UNION SELECT * FROM (
          SELECT j.seq FROM json_each(?2) AS t CROSS JOIN jobs AS j INDEXED BY jobs_claimable
          WHERE j.type = t.value AND j.status = 'pending' AND j.not_before IS NULL LIMIT ?3)
        UNION SELECT * FROM (
          SELECT seq FROM \(JobStatement.delayedJobs)
          WHERE \(JobStatement.delayed) AND type IN (SELECT value FROM json_each(?2)) LIMIT ?3)),
      packed AS (
        SELECT seq, \(PackedRow.columns(JobColumns.outline)), result
        FROM jobs WHERE seq IN (SELECT seq FROM covered ORDER BY seq LIMIT ?3)),
      sized AS (
        SELECT *, count(*) OVER () AS found,
          sum(\(JobStatement.size(of: "json_quote(job || '')", "json_quote(result)")))
            OVER (ORDER BY seq ROWS UNBOUNDED PRECEDING) AS total
        FROM packed)
    SELECT job, result, found FROM sized WHERE total <= ?4 ORDER BY seq
    """

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
