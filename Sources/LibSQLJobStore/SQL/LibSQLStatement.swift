import JobModel
import JobStore

/// The statements that `JobStatement` does not have: this store can't look at what one statement found before it
/// writes the next, so a command about jobs yet to be found first puts them into the journal.
///
/// `?8`, `?9`, `?10`: the broker, its transaction, the command in it.
enum LibSQLStatement {
  /// Raises the number of the broker `?1` to `?2`, or fails when it has been raised to that before. `?3` is now.
  static let register = """
    INSERT INTO brokers (id, last_transaction, opened_at) VALUES (?1, ?2, ?3)
    ON CONFLICT (id) DO UPDATE SET
      last_transaction = CASE WHEN last_transaction < excluded.last_transaction THEN excluded.last_transaction END
    """
  /// What the server says when the transaction took effect before.
  static let repeated = "NOT NULL constraint failed: brokers.last_transaction"

  /// Without the names of the columns, for the server parses them each time.
  private static let intoJournal = "INSERT INTO job_changes SELECT NULL, ?8, ?9, ?10"
  private static let record = "\(intoJournal), seq, attempt, id, type FROM jobs"
  private static let isThisCommand = "broker = ?8 AND transaction_number = ?9 AND command = ?10"
  private static let chosen = "(SELECT seq FROM job_changes WHERE \(isThisCommand))"

  /// Notes that the statement just run changed the job `?1`, if it did. `?2`, `?3`, `?4`: whose command it is.
  static let recordChange = "\(recordNew) AND changes() = 1"

  /// What a transaction, `?2` of the broker `?1`, changed.
  static let changesOfTransaction = """
    SELECT command, id, type, attempt, seq FROM job_changes WHERE broker = ?1 AND transaction_number = ?2
    """

  /// Forgets all but the newest changes.
  static let trim = """
    DELETE FROM job_changes WHERE number <= (SELECT max(number) FROM job_changes) - \(LibSQLSchema.keptChanges)
    """

  // MARK: One job

  /// `JobStatement.jobWithCause`, packed.
  static let jobWithCause = """
    SELECT \(PackedRow.columns(JobColumns.brief)),
      (SELECT cause FROM job_attempts AS a WHERE a.seq = jobs.seq AND a.attempt = ?2)
    FROM jobs WHERE id = ?1
    """

  // MARK: Creating

  /// Notes that the job `?1` was created. `?2`, `?3`, `?4`: whose command it is.
  static let recordNew =
    "INSERT INTO job_changes SELECT NULL, ?2, ?3, ?4, seq, attempt, id, type FROM jobs WHERE id = ?1"

  private static let holdsKey = "unique_key = ?9 AND status IN ('pending', 'processing')"

  /// Fails unless a job that could not be inserted is there, or one with its unique key. The parameters are those of
  /// `JobStatement.insertNewJob`.
  static let refuseOther = """
    SELECT CASE WHEN NOT EXISTS (
      SELECT 1 FROM jobs WHERE CASE WHEN EXISTS (SELECT 1 FROM jobs WHERE id = ?1)
        THEN id = ?1 AND \(JobStatement.hasContent)
        ELSE \(holdsKey) END AND (id = ?1 OR \(holdsKey)))
    THEN json('') END
    """

  /// The job `?1`, or else the unfinished one with the unique key `?9`, and whether it is what would have been inserted.
  static let existingJob = """
    SELECT \(PackedRow.columns(JobColumns.outline)), \(JobStatement.hasContent) FROM jobs WHERE id = ?1 OR \(holdsKey)
    ORDER BY id = ?1 DESC LIMIT 1
    """

  /// The unfinished job that has the unique key of the job `?1`.
  static let keyHolder = """
    SELECT \(JobColumns.outline) FROM jobs
    WHERE unique_key = (SELECT unique_key FROM jobs WHERE id = ?1) AND unique_key IS NOT NULL
      AND status IN ('pending', 'processing')
    """

  // MARK: Claims

  /// Chooses up to `?2` jobs of the types in the JSON array `?1`, of any if that is NULL, of which the texts are
  /// at most `?3` bytes unless it is one job: the best of the first of each type.
  static let chooseClaimable = """
    WITH RECURSIVE
      present (type) AS (
        SELECT min(type) FROM \(JobStatement.claimableJobs) WHERE \(JobStatement.claimable)
        UNION ALL
        SELECT (
          SELECT min(j.type) FROM jobs AS j INDEXED BY jobs_claimable
          WHERE j.status = 'pending' AND j.not_before IS NULL AND j.type > present.type)
        FROM present WHERE present.type IS NOT NULL),
      wanted (type) AS (
        SELECT DISTINCT value FROM json_each(?1)
        UNION ALL
        SELECT type FROM present WHERE ?1 IS NULL AND type IS NOT NULL),
      heads AS (
        SELECT j.seq, j.priority, j.attempt, j.id, j.type,
          \(JobStatement.size(of: "j.metadata", "j.result", "j.error", "j.stage")) AS size
        FROM wanted CROSS JOIN jobs AS j
        WHERE wanted.type NOT IN (SELECT type FROM paused_types) AND j.seq IN (
          SELECT k.seq FROM jobs AS k INDEXED BY jobs_claimable
          WHERE k.type = wanted.type AND k.status = 'pending' AND k.not_before IS NULL
          ORDER BY k.priority DESC, k.seq LIMIT ?2)
        ORDER BY j.priority DESC, j.seq LIMIT ?2),
      sized AS (
        SELECT *, sum(size) OVER (ORDER BY priority DESC, seq ROWS UNBOUNDED PRECEDING) AS total FROM heads)
    \(intoJournal), seq, attempt + 1, id, type FROM sized WHERE total = size OR total <= ?3
    """

  /// Chooses the next job of the type `?1`.
  static let chooseNextOfType = """
    \(intoJournal), seq, attempt + 1, id, type FROM \(JobStatement.claimableJobs)
    WHERE type = ?1 AND \(JobStatement.claimable) AND type NOT IN (SELECT type FROM paused_types)
    ORDER BY priority DESC, seq LIMIT 1
    """

  /// Takes the chosen jobs.
  static let claimChosen = "UPDATE jobs SET \(JobStatement.claimed) WHERE seq IN \(chosen)"

  /// The chosen jobs as they are now held, in the order of claims.
  static let claimedJobs = """
    SELECT \(PackedRow.columns(JobColumns.whole))
    FROM (SELECT seq AS chosen, attempt AS held FROM job_changes WHERE \(isThisCommand)) CROSS JOIN jobs
    WHERE seq = chosen AND attempt = held AND status = 'processing' ORDER BY priority DESC, seq
    """

  // MARK: Many jobs

  /// Chooses up to `?4` processing jobs last heard from before `?1`, of the type `?2` if it is not NULL, except those
  /// whose ids are in the JSON array `?3`; none after the one with which their results exceed `?5` bytes.
  static let chooseSilent = """
    \(intoJournal), seq, attempt, id, type FROM (
      SELECT *, sum(size) OVER (ORDER BY seq ROWS UNBOUNDED PRECEDING) AS total FROM (
        SELECT seq, attempt, id, type, \(JobStatement.size(of: "result")) AS size FROM jobs
        WHERE status = 'processing' AND updated_at < ?1 AND (?2 IS NULL OR type = ?2)
          AND id NOT IN (SELECT unhex(value) FROM json_each(?3)) ORDER BY seq LIMIT ?4))
    WHERE total - size <= ?5
    """

  /// Keeps the attempts of the chosen jobs, which failed at `?3` with the error `?5`.
  static let recordReapedAttempts = """
    INSERT INTO job_attempts (
      seq, attempt, cause, worker_name, worker_pid, worker_uid, started_at, ended_at, error)
    SELECT seq, attempt, 'failed', worker_name, worker_pid, worker_uid, coalesce(started_at, ?3), ?3, ?5
    FROM jobs WHERE seq IN \(chosen)
    """
  static let reapChosen = "UPDATE jobs SET \(JobStatement.reaped) WHERE seq IN \(chosen)"

  /// Chooses up to `?2` jobs whose moment, at `?1`, has come, the earliest first.
  static let chooseDue = "\(record) WHERE seq IN (SELECT seq \(JobStatement.firstDue))"
  static let promoteChosen = "UPDATE jobs SET not_before = NULL WHERE seq IN \(chosen)"

  /// Chooses the job `?1`.
  static let chooseJob = "\(record) WHERE id = ?1"

  /// Chooses up to `?4` jobs with a status of the JSON array `?1` that finished before `?2`, of the type `?3` if it is
  /// not NULL. They come in the order of the index, the oldest of a status first; asked for that order, SQLite would
  /// read them all before it stops.
  static let chooseFinished = """
    \(intoJournal), j.seq, j.attempt, j.id, j.type
    FROM json_each(?1) AS s CROSS JOIN jobs AS j INDEXED BY jobs_by_status
    WHERE j.status = s.value AND j.finished_at < ?2 AND (?3 IS NULL OR j.type = ?3) LIMIT ?4
    """
  static let deleteChosen = "DELETE FROM jobs WHERE seq IN \(chosen)"

  /// The chosen jobs, as far as they are there.
  static let chosenJobs = chosenJobs(JobColumns.brief)
  static let chosenOutlines = chosenJobs(JobColumns.outline)

  private static func chosenJobs(_ columns: String) -> String {
    "SELECT \(columns) FROM jobs WHERE seq IN \(chosen) ORDER BY seq"
  }
}
