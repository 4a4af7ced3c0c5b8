/// What changes one job. Each statement carries its own guard: it changes the row only when the request is
/// entitled to, whoever else uses the database. The row is then read back to learn what happened (`Transition`).
///
/// `?1` is the job, `?2` the attempt the request is fenced by (NULL: unfenced), `?3` the present moment.
extension JobStatement {
  /// The request comes from the present holder.
  private static let isHolder = "status = 'processing' AND attempt = ?2"
  /// The request names no attempt: an operator's or a webhook's.
  private static let isUnfenced = "?2 IS NULL AND status IN ('pending', 'processing')"
  /// The request comes from a holder whose lease ran out, and nobody has claimed the job since: its work is done,
  /// so it may still finish.
  private static let isLateHolder = """
    status = 'pending' AND attempt = ?2 AND EXISTS (
      SELECT 1 FROM job_attempts AS a WHERE a.seq = jobs.seq AND a.attempt = ?2 AND a.cause = 'lost')
    """
  /// An automatic retry is wanted (`?5`) and left.
  private static let isRetried = "(?5 AND retry_count < max_retries)"
  /// An update takes the job out of the queue, without a lease.
  private static let isStartedByUpdate = "(status = 'pending' AND ?4 IS 'processing')"
  /// An update puts the job back into the queue.
  private static let isReturnedByUpdate = "(status = 'processing' AND ?4 IS 'pending')"
  /// An update leaves the job with its holder.
  private static let isHeldThroughUpdate =
    "(status = 'processing' AND coalesce(?4, 'processing') = 'processing')"

  /// Keeps an attempt that ends without success: cause `?4`, error `?5`. Runs before the change that ends it,
  /// under the same guard.
  static let recordAttemptSQL = """
    INSERT INTO job_attempts (
      seq, attempt, cause, worker_name, worker_pid, worker_uid, started_at, ended_at, error)
    SELECT seq, attempt, ?4, worker_name, worker_pid, worker_uid, coalesce(started_at, ?3), ?3, ?5
    FROM jobs
    WHERE id = ?1 AND status = 'processing' AND (?2 IS NULL OR attempt = ?2)
    """

  /// The holder of a lost job has turned up and failed it: error `?4`. Runs right after the change.
  static let amendAttemptSQL = """
    UPDATE job_attempts SET cause = 'failed', ended_at = ?3, error = ?4
    WHERE changes() = 1 AND seq = (SELECT seq FROM jobs WHERE id = ?1) AND attempt = ?2 AND cause = 'lost'
    """

  /// Status `?4`, progress `?5`, stage `?7` if `?6`, result `?8`, error `?9`, retry count `?10`; NULL: as it is.
  ///
  /// Starting a job counts as an attempt, so that an earlier holder's fence can't become valid again.
  static let updateSQL = """
    UPDATE jobs SET
      status = coalesce(?4, status),
      progress = coalesce(?5, CASE
        WHEN ?4 = 'complete' THEN 100.0
        WHEN \(isReturnedByUpdate) THEN 0.0
        ELSE progress END),
      stage = CASE WHEN ?6 THEN ?7 WHEN \(isReturnedByUpdate) THEN NULL ELSE stage END,
      result = coalesce(?8, result),
      error = coalesce(?9, CASE WHEN ?4 IS NOT 'complete' THEN error END),
      retry_count = coalesce(?10, retry_count),
      not_before = CASE WHEN coalesce(?4, status) = 'pending' THEN not_before END,
      attempt = attempt + \(isStartedByUpdate),
      worker_name = CASE WHEN NOT \(isStartedByUpdate) THEN worker_name END,
      worker_pid = CASE WHEN NOT \(isStartedByUpdate) THEN worker_pid END,
      worker_uid = CASE WHEN NOT \(isStartedByUpdate) THEN worker_uid END,
      lease_ms = CASE WHEN \(isHeldThroughUpdate) THEN lease_ms END,
      lease_expires_at = CASE WHEN \(isHeldThroughUpdate) THEN ?3 + lease_ms END,
      updated_at = ?3,
      started_at = CASE WHEN \(isStartedByUpdate) THEN ?3 ELSE started_at END,
      finished_at = CASE WHEN ?4 IN ('complete', 'failed', 'cancelled') THEN ?3 END
    WHERE id = ?1 AND (
      (\(isHolder)) OR (\(isUnfenced)) OR (?4 IN ('complete', 'failed') AND \(isLateHolder)))
    """

  /// Result `?4`.
  static let completeSQL = """
    UPDATE jobs SET
      status = 'complete', progress = 100.0, result = coalesce(?4, result), error = NULL, not_before = NULL,
      lease_ms = NULL, lease_expires_at = NULL, updated_at = ?3, finished_at = ?3
    WHERE id = ?1 AND ((\(isHolder)) OR (\(isUnfenced)) OR (\(isLateHolder)))
    """

  /// Error `?4`, retryable `?5`; a retry waits min(`?6` ms doubled retry_count times, `?7` ms) times `?8`.
  static let failSQL = """
    UPDATE jobs SET
      status = CASE WHEN \(isRetried) THEN 'pending' ELSE 'failed' END,
      error = ?4,
      retry_count = retry_count + \(isRetried),
      not_before = CASE
        WHEN \(isRetried) THEN ?3 + CAST(min(?6 << min(retry_count, 20), ?7) * ?8 AS INTEGER) END,
      progress = CASE WHEN \(isRetried) THEN 0.0 ELSE progress END,
      stage = CASE WHEN NOT \(isRetried) THEN stage END,
      lease_ms = NULL, lease_expires_at = NULL, updated_at = ?3,
      finished_at = CASE WHEN NOT \(isRetried) THEN ?3 END
    WHERE id = ?1 AND ((\(isHolder)) OR (\(isUnfenced)) OR (\(isLateHolder)))
    """

  /// Not to be claimed before `?4`.
  static let releaseSQL = """
    UPDATE jobs SET
      status = 'pending', progress = 0.0, stage = NULL, not_before = ?4, lease_ms = NULL,
      lease_expires_at = NULL, updated_at = ?3
    WHERE id = ?1 AND status = 'processing' AND (?2 IS NULL OR attempt = ?2)
    """

  /// The loss itself is in the history by now, so the error can name every worker that was lost.
  static let loseSQL = """
    UPDATE jobs SET
      status = CASE WHEN lost_count < max_lost THEN 'pending' ELSE 'failed' END,
      lost_count = lost_count + 1,
      error = CASE WHEN lost_count < max_lost THEN error ELSE
        'Its worker was lost ' || CASE lost_count WHEN 0 THEN 'once' ELSE (lost_count + 1) || ' times' END || ': ' || (
          SELECT group_concat(coalesce(nullif(name, ''), 'unnamed') || coalesce(' (pid ' || pid || ')', ''), ', ') FROM (
            SELECT a.worker_name AS name, a.worker_pid AS pid FROM job_attempts AS a
            WHERE a.seq = jobs.seq AND a.cause = 'lost' ORDER BY a.attempt DESC LIMIT 10)) END,
      progress = CASE WHEN lost_count < max_lost THEN 0.0 ELSE progress END,
      stage = CASE WHEN lost_count >= max_lost THEN stage END,
      lease_ms = NULL, lease_expires_at = NULL, updated_at = ?3,
      finished_at = CASE WHEN lost_count >= max_lost THEN ?3 END
    WHERE id = ?1 AND \(isHolder)
    """

  static let cancelSQL = """
    UPDATE jobs SET
      status = 'cancelled', not_before = NULL, lease_ms = NULL, lease_expires_at = NULL, updated_at = ?3,
      finished_at = ?3
    WHERE id = ?1 AND \(isUnfenced)
    """

  static let retrySQL = """
    UPDATE jobs SET
      status = 'pending', progress = 0.0, stage = NULL, error = NULL, result = NULL, retry_count = 0,
      lost_count = 0, updated_at = ?3, finished_at = NULL
    WHERE id = ?1 AND ?2 IS NULL AND status IN ('failed', 'cancelled')
    """

  /// Progress `?4`, stage `?6` if `?5`, lease end `?7`; `?3` is when the holder was heard from.
  static let reportSQL = """
    UPDATE jobs SET
      progress = coalesce(?4, progress), stage = CASE WHEN ?5 THEN ?6 ELSE stage END,
      lease_expires_at = ?7, updated_at = max(updated_at, ?3)
    WHERE id = ?1 AND \(isHolder)
    """

  /// What the reaper makes of a job, at `?3`: error `?5`.
  public static let reaped = """
    status = 'failed', error = ?5, lease_ms = NULL, lease_expires_at = NULL, updated_at = ?3, finished_at = ?3
    """

  /// Last heard from before `?4`.
  static let reapSQL = "UPDATE jobs SET \(reaped) WHERE id = ?1 AND \(isHolder) AND updated_at < ?4"
}
