/// The tables both stores keep their jobs in, as numbered migrations.
///
/// SQLite's own constraints hold what the code relies on: statuses are known, ids are UUIDs, JSON is JSON, an
/// unfinished job's unique key is unique. Their names appear in SQLite's messages; see `ConstraintViolation`.
public enum JobSchema {
  /// SQLite's `application_id` of a JobBroker database: "JOBB".
  public static let applicationID: Int64 = 0x4A4F_4242

  /// The statements that bring a database from version `index` to version `index + 1`.
  public static let migrations: [[String]] = [version1, version2]

  /// The newest version: SQLite's `user_version`.
  public static var version: Int { migrations.count }

  /// - `seq` is the order of creation and, within a priority, of claims. AUTOINCREMENT: one is never used twice.
  /// - `not_before` is NULL as soon as a job may be claimed, so that the claim index holds no job that may not.
  ///   `requested_not_before` is what the producer said, to tell a repeated create from another job.
  /// - The check of `status` spells out what `IN` would say: for a list of more than two SQLite fills a temporary
  ///   table at every statement, which costs more than all else that a claim does.
  /// - A row begins with what changes and is read most; a large JSON text spills to overflow pages from its end.
  private static let version1 = [
    """
    CREATE TABLE jobs (
      seq INTEGER PRIMARY KEY AUTOINCREMENT,
      id BLOB NOT NULL UNIQUE CONSTRAINT id_is_uuid CHECK (length(id) = 16),
      type TEXT NOT NULL CONSTRAINT type_is_not_empty CHECK (type <> ''),
      status TEXT NOT NULL CONSTRAINT status_is_known CHECK (
        status = 'pending' OR status = 'processing' OR status = 'complete' OR status = 'failed'
        OR status = 'cancelled'),
      priority INTEGER NOT NULL,
      progress REAL NOT NULL DEFAULT 0 CONSTRAINT progress_is_percentage CHECK (progress BETWEEN 0 AND 100),
      stage TEXT,
      error TEXT,
      retry_count INTEGER NOT NULL DEFAULT 0 CONSTRAINT retry_count_is_not_negative CHECK (retry_count >= 0),
      max_retries INTEGER NOT NULL CONSTRAINT max_retries_is_not_negative CHECK (max_retries >= 0),
      lost_count INTEGER NOT NULL DEFAULT 0,
      max_lost INTEGER NOT NULL CONSTRAINT max_lost_is_not_negative CHECK (max_lost >= 0),
      not_before INTEGER,
      requested_not_before INTEGER,
      unique_key TEXT,
      attempt INTEGER NOT NULL DEFAULT 0,
      worker_name TEXT,
      worker_pid INTEGER,
      worker_uid INTEGER,
      lease_ms INTEGER,
      lease_expires_at INTEGER,
      created_at INTEGER NOT NULL,
      updated_at INTEGER NOT NULL,
      started_at INTEGER,
      finished_at INTEGER,
      result TEXT CONSTRAINT result_is_json_object
        CHECK (result IS NULL OR (json_valid(result) AND json_type(result) = 'object')),
      metadata TEXT NOT NULL CONSTRAINT metadata_is_json_object
        CHECK (json_valid(metadata) AND json_type(metadata) = 'object')
    ) STRICT
    """,
    // What a claim looks at: the head of a type is the job it takes.
    """
    CREATE INDEX jobs_claimable ON jobs (type, priority DESC, seq)
      WHERE status = 'pending' AND not_before IS NULL
    """,
    // Jobs that wait for a moment, the next one first. Type and priority are there to load the queue from it.
    """
    CREATE INDEX jobs_delayed ON jobs (not_before, type, priority)
      WHERE status = 'pending' AND not_before IS NOT NULL
    """,
    // Lists by status and by type, the jobs in flight, what may be pruned, the counters.
    "CREATE INDEX jobs_by_status ON jobs (status, seq, type)",
    """
    CREATE UNIQUE INDEX jobs_unfinished_key ON jobs (unique_key)
      WHERE unique_key IS NOT NULL AND status IN ('pending', 'processing')
    """,
    // Attempts that ended without success.
    """
    CREATE TABLE job_attempts (
      seq INTEGER NOT NULL,
      attempt INTEGER NOT NULL,
      cause TEXT NOT NULL CONSTRAINT cause_is_known
        CHECK (cause IN ('failed', 'lost', 'released', 'cancelled')),
      worker_name TEXT,
      worker_pid INTEGER,
      worker_uid INTEGER,
      started_at INTEGER NOT NULL,
      ended_at INTEGER NOT NULL,
      error TEXT,
      PRIMARY KEY (seq, attempt)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE TABLE paused_types (type TEXT NOT NULL PRIMARY KEY) STRICT, WITHOUT ROWID",
    // Ids of adopted jobs whose text was not the usual text of a UUID.
    "CREATE TABLE original_ids (seq INTEGER PRIMARY KEY, job_id TEXT NOT NULL) STRICT",
    // A trigger, not a foreign key: it needs no pragma on each connection.
    """
    CREATE TRIGGER jobs_deleted AFTER DELETE ON jobs BEGIN
      DELETE FROM job_attempts WHERE seq = OLD.seq;
      DELETE FROM original_ids WHERE seq = OLD.seq;
    END
    """,
    // The table of the store that JobBroker grew out of, for whoever still reads it with SQL.
    """
    CREATE VIEW audio_prep_jobs (
      jobId, type, status, progress, stage, metadata, result, error, retryCount, createdAt, updatedAt
    ) AS
    SELECT
      coalesce(o.job_id, lower(
        substr(hex(j.id), 1, 8) || '-' || substr(hex(j.id), 9, 4) || '-' || substr(hex(j.id), 13, 4) || '-' ||
        substr(hex(j.id), 17, 4) || '-' || substr(hex(j.id), 21))),
      j.type, j.status, j.progress, j.stage, j.metadata, j.result, j.error, j.retry_count,
      strftime('%Y-%m-%dT%H:%M:%fZ', j.created_at / 1000.0, 'unixepoch'),
      strftime('%Y-%m-%dT%H:%M:%fZ', j.updated_at / 1000.0, 'unixepoch')
    FROM jobs AS j LEFT JOIN original_ids AS o ON o.seq = j.seq
    """,
  ]

  /// Jobs that were claimed and are no more, with their last attempts: a job that is created again with the id of one
  /// of them counts on from there, so that a holder of the old job can't pass for one of the new. `place` is the order
  /// of deletion. Only the last million is kept, at some 50 bytes each, so that pruning for ever leaves no more than
  /// that behind.
  private static let version2 = [
    """
    CREATE TABLE deleted_jobs (
      place INTEGER PRIMARY KEY,
      id BLOB NOT NULL UNIQUE,
      attempt INTEGER NOT NULL
    ) STRICT
    """,
    "DROP TRIGGER jobs_deleted",
    """
    CREATE TRIGGER jobs_deleted AFTER DELETE ON jobs BEGIN
      DELETE FROM job_attempts WHERE seq = OLD.seq;
      DELETE FROM original_ids WHERE seq = OLD.seq;
      INSERT OR REPLACE INTO deleted_jobs (id, attempt) SELECT OLD.id, OLD.attempt WHERE OLD.attempt > 0;
      DELETE FROM deleted_jobs WHERE place <= (SELECT max(place) FROM deleted_jobs) - 1000000;
    END
    """,
  ]
}
