import JobModel

/// What creates, finds and claims jobs.
///
/// Queries of pending jobs name their index: without statistics SQLite would rather walk all jobs with a status, and
/// statistics it would have to gather again and again.
extension JobStatement {
  /// How many bytes the texts in these columns take together: an expression.
  public static func size(of columns: String...) -> String {
    columns.map { "coalesce(length(CAST(\($0) AS BLOB)), 0)" }.joined(separator: " + ")
  }

  /// Which jobs a claim may take, but for paused types: `nextOfType` is the one place that decides.
  public static let claimable = "status = 'pending' AND not_before IS NULL"

  /// Where to look for them.
  public static let claimableJobs = "jobs INDEXED BY jobs_claimable"

  /// Which jobs wait for a moment.
  public static let delayed = "status = 'pending' AND not_before IS NOT NULL"
  /// Where to look for them.
  public static let delayedJobs = "jobs INDEXED BY jobs_delayed"

  /// The attempts of a deleted job with the id `?1`.
  static let attemptsBeforeSQL = "SELECT attempt FROM deleted_jobs WHERE id = ?1"

  /// Inserts a job, or fails when there is one with its id or its unique key. `?11`: in how many attempts its id was
  /// used before; NULL to look that up.
  public static let insertNewJob = """
    INSERT INTO jobs (
      id, type, status, priority, metadata, max_retries, max_lost, not_before, requested_not_before, unique_key,
      created_at, updated_at, attempt)
    VALUES (?1, ?2, 'pending', ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10, coalesce(?11, (\(attemptsBeforeSQL)), 0))
    """
  static let insertJobSQL = insertNewJob + " ON CONFLICT DO NOTHING"

  /// Whether a job is what `insertNewJob` would have made of its first nine parameters.
  public static let hasContent = """
    type = ?2 AND priority = ?3 AND metadata = ?4 AND max_retries = ?5 AND max_lost = ?6 \
    AND requested_not_before IS ?8 AND unique_key IS ?9
    """

  /// The job as it is, and why its attempt `?2` ended, when that is in its history.
  static let jobWithCauseSQL = """
    SELECT \(JobColumns.brief),
      (SELECT cause FROM job_attempts AS a WHERE a.seq = jobs.seq AND a.attempt = ?2)
    FROM jobs WHERE id = ?1
    """

  static let jobByUniqueKeySQL = """
    SELECT \(JobColumns.outline) FROM jobs
    WHERE unique_key = ?1 AND unique_key IS NOT NULL AND status IN ('pending', 'processing')
    """

  /// The attempts of the job `?1`, newest first, until they fill a frame, for more can't be told, or are a thousand, for
  /// others wait meanwhile. It goes from one attempt to the one before, so that the rest is not even read.
  static let historySQL = """
    WITH RECURSIVE latest (seq, attempt, number, size) AS (
      SELECT seq, \(Int64.max), 0, 0 FROM jobs WHERE id = ?1
      UNION ALL
      SELECT a.seq, a.attempt, l.number + 1, l.size + 64 + \(size(of: "a.worker_name", "a.error"))
      FROM latest AS l CROSS JOIN job_attempts AS a
      WHERE l.size < \(Limits.frame) AND l.number < 1000 AND a.seq = l.seq AND a.attempt = (
        SELECT max(b.attempt) FROM job_attempts AS b WHERE b.seq = l.seq AND b.attempt < l.attempt))
    SELECT attempt, worker_name, worker_pid, worker_uid, started_at, ended_at, cause, error
    FROM latest CROSS JOIN job_attempts USING (seq, attempt)
    """

  static func nextOfTypeSQL(_ columns: String) -> String {
    """
    SELECT \(columns) FROM \(claimableJobs)
    WHERE type = ?1 AND \(claimable) AND NOT EXISTS (SELECT 1 FROM paused_types WHERE type = ?1)
    ORDER BY priority DESC, seq LIMIT 1
    """
  }

  /// What a claim makes of a job, at `?2`: lease `?3` ms until `?4`, worker `?5`, `?6`, `?7`.
  public static let claimed = """
    status = 'processing', attempt = attempt + 1, worker_name = ?5, worker_pid = ?6, worker_uid = ?7, \
    lease_ms = ?3, lease_expires_at = ?4, started_at = ?2, updated_at = ?2
    """

  /// Takes the job with sequence `?1`.
  static let claimSQL = "UPDATE jobs SET \(claimed) WHERE seq = ?1 AND \(claimable)"

  /// Processing jobs last heard from before `?1`, of the type `?2` if it is not NULL.
  static let reapableSQL = """
    SELECT id, attempt FROM jobs
    WHERE status = 'processing' AND updated_at < ?1 AND (?2 IS NULL OR type = ?2) ORDER BY seq
    """

  /// Jobs that one `promote` lets go, so that others get their turn between.
  public static let promotedAtOnce = 1000

  /// The first `?2` jobs that are due at `?1`.
  public static let firstDue =
    "FROM \(delayedJobs) WHERE \(delayed) AND not_before <= ?1 ORDER BY not_before LIMIT ?2"

  static let dueSQL = "SELECT type, count(*) FROM (SELECT type \(firstDue)) GROUP BY type"

  /// Jobs of the status `?1`, of the type `?2` if it is not NULL, the oldest first.
  static let oldestSQL = """
    SELECT \(JobColumns.outline) FROM jobs WHERE status = ?1 AND (?2 IS NULL OR type = ?2) ORDER BY seq
    """

  /// At most `?2` processing jobs, of the type `?1` if it is not NULL.
  static let processingJobsSQL = """
    SELECT \(JobColumns.brief) FROM jobs
    WHERE status = 'processing' AND (?1 IS NULL OR type = ?1) ORDER BY seq LIMIT ?2
    """

  static let readyJobsOfTypeSQL = """
    SELECT \(JobColumns.brief) FROM \(claimableJobs) WHERE type = ?1 AND \(claimable) ORDER BY priority DESC, seq LIMIT ?2
    """

  static let waitingJobsSQL = """
    SELECT \(JobColumns.brief) FROM \(delayedJobs)
    WHERE (?1 IS NULL OR type = ?1) AND \(delayed) ORDER BY not_before LIMIT ?2
    """

  /// One range a status, which SQLite merges as it reads them: an index by type would cost every create.
  static let newestOfTypeSQL =
    JobStatus.allCases.map { status in
      """
      SELECT \(JobColumns.whole) FROM jobs INDEXED BY jobs_by_status
      WHERE status = '\(status.rawValue)' AND seq < ?1 AND type = ?3
      """
    }.joined(separator: " UNION ALL ") + " ORDER BY seq DESC LIMIT ?2"

  static let newestOfStatusSQL = """
    SELECT \(JobColumns.whole) FROM jobs
    WHERE status = ?3 AND seq < ?1 AND (?4 IS NULL OR type = ?4) ORDER BY seq DESC LIMIT ?2
    """

  /// Ids from `?5` to `?6`. The plus keeps SQLite from walking the whole table in the order of `seq`.
  static let newestWithPrefixSQL = """
    SELECT \(JobColumns.whole) FROM jobs
    WHERE id BETWEEN ?5 AND ?6 AND +seq < ?1 AND (?3 IS NULL OR +status = ?3) AND (?4 IS NULL OR +type = ?4)
    ORDER BY +seq DESC LIMIT ?2
    """

  /// Two ranges of one index; OR would have SQLite collect all row numbers first.
  static let loadOthersSQL = """
    SELECT type, status FROM jobs WHERE status < 'pending'
    UNION ALL SELECT type, status FROM jobs WHERE status > 'pending'
    """

  static let heldClaimsSQL = """
    SELECT \(JobColumns.outline), lease_ms FROM jobs
    WHERE status = 'processing' AND lease_ms IS NOT NULL ORDER BY seq
    """
}
