import JobModel
import JobStore

/// A database that the store JobBroker grew out of has made: one table, `audio_prep_jobs`, with ISO dates.
///
/// Its jobs are adopted in the order of their creation, and nothing of them is lost:
/// - An id that is not the text of a UUID gets one derived from its text; the text stays in `original_ids`.
/// - Metadata or a result that is no JSON object becomes one: `{"value": …}` around other JSON, `{"text": "…"}`
///   around what is no JSON.
/// - A job that is processing keeps its status, as attempt 1, with a lease from now: its worker can't report any
///   more, so it will be found lost and come back to the queue.
/// - A status that is not known becomes `failed`, with an error that names it.
struct OriginalStore {
  private static let name = "audio_prep_jobs"
  private static let columns: Set<String> = [
    "jobId", "type", "status", "progress", "stage", "metadata", "result", "error", "retryCount", "createdAt",
    "updatedAt",
  ]

  private let connection: Connection

  /// Whether the database is of that kind.
  static func exists(on connection: Connection) throws(SQLiteError) -> Bool {
    let found = try connection.prepare("SELECT name FROM pragma_table_info('\(name)')").all { $0.text(0) }
    let tables = try connection.integer(
      "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = '\(name)'")
    return tables == 1 && columns.isSubset(of: found)
  }

  /// Moves the table out of the way of the view of the same name.
  init(setAsideOn connection: Connection) throws(SQLiteError) {
    self.connection = connection
    try connection.run("ALTER TABLE \(Self.name) RENAME TO original_jobs")
  }

  /// Copies the jobs into the schema, which has just been made, and drops the table.
  func adopt(at now: Timestamp) throws(SQLiteError) {
    let insert = try connection.prepare(Self.insertSQL)
    let keepID = try connection.prepare("INSERT INTO original_ids (seq, job_id) VALUES (?1, ?2)")
    let rows = try connection.prepare("SELECT rowid, CAST(jobId AS TEXT) FROM original_jobs ORDER BY createdAt, rowid")
    let lease = ClaimRequest.defaultLease.milliseconds
    var taken: Set<JobID> = []
    for (row, text) in try rows.all([], { (s: Statement) in (s.integer(0), s.text(1)) }) {
      let parsed = JobID(text).flatMap { taken.contains($0) ? nil : $0 }
      let id = parsed ?? JobID(derivedFrom: text)
      taken.insert(id)
      try insert.run([.integer(row), .id(id), .time(now), .integer(lease)])
      if id.description != text { try keepID.run([.integer(connection.lastInsertedRow), .text(text)]) }
    }
    try connection.run("DROP TABLE original_jobs")
  }

  /// Copies the row `?1` under the id `?2`, at `?3`; a job that is processing gets a lease of `?4` ms.
  private static let insertSQL = """
    WITH original AS (
      SELECT
        coalesce(nullif(CAST(type AS TEXT), ''), 'unknown') AS type,
        CASE status WHEN 'completed' THEN 'complete' WHEN 'canceled' THEN 'cancelled' ELSE status END AS status,
        min(max(coalesce(CAST(progress AS REAL), 0.0), 0.0), 100.0) AS progress,
        CAST(stage AS TEXT) AS stage, CAST(metadata AS TEXT) AS metadata, CAST(result AS TEXT) AS result,
        CAST(error AS TEXT) AS error, max(coalesce(CAST(retryCount AS INTEGER), 0), 0) AS retry_count,
        coalesce(\(milliseconds("createdAt")), \(milliseconds("updatedAt")), ?3) AS created_at,
        coalesce(\(milliseconds("updatedAt")), \(milliseconds("createdAt")), ?3) AS updated_at
      FROM original_jobs WHERE rowid = ?1),
    checked AS (
      SELECT *, status IN ('pending', 'processing', 'complete', 'failed', 'cancelled') IS TRUE AS is_known
      FROM original)
    INSERT INTO jobs (
      id, type, status, priority, progress, stage, error, retry_count, max_retries, max_lost, attempt, lease_ms,
      lease_expires_at, created_at, updated_at, started_at, finished_at, result, metadata)
    SELECT
      ?2, type, CASE WHEN is_known THEN status ELSE 'failed' END, 0, progress, stage,
      CASE WHEN is_known THEN error
        ELSE coalesce(error || '; ', '') || 'Adopted with the unknown status ' || coalesce(quote(status), 'NULL') END,
      retry_count, \(NewJob.defaultMaxRetries), \(NewJob.defaultMaxLost), status IS 'processing',
      CASE WHEN status IS 'processing' THEN ?4 END, CASE WHEN status IS 'processing' THEN ?3 + ?4 END,
      created_at, updated_at, CASE WHEN status IS 'processing' THEN updated_at END,
      CASE WHEN NOT is_known OR status NOT IN ('pending', 'processing') THEN updated_at END,
      \(object("result", ifNull: "NULL")), \(object("metadata", ifNull: "'{}'"))
    FROM checked
    """

  /// A column with an ISO date as milliseconds since the Unix epoch; NULL when SQLite can't read it. SQLite counts
  /// days to the millisecond, so rounding restores it exactly.
  private static func milliseconds(_ column: String) -> String {
    "CAST(round((julianday(\(column)) - 2440587.5) * 86400000) AS INTEGER)"
  }

  /// A column as a JSON object.
  private static func object(_ column: String, ifNull: String) -> String {
    """
    CASE
      WHEN \(column) IS NULL THEN \(ifNull)
      WHEN NOT json_valid(\(column)) THEN json_object('text', \(column))
      WHEN json_type(\(column)) = 'object' THEN \(column)
      ELSE json_object('value', json(\(column))) END
    """
  }
}

extension JobID {
  /// The id of a job whose original id is no UUID: always the same for the same text. A UUID of version 8, for
  /// vendors' own schemes (RFC 9562 §5.8), around the 128-bit FNV-1a hash of the text.
  init(derivedFrom text: String) {
    let prime: UInt128 = (1 << 88) + 0x13B
    var hash: UInt128 = 0x6C62_272E_07BB_0142_62B8_2175_6295_C58D
    for byte in text.utf8 { hash = (hash ^ UInt128(byte)) &* prime }
    let high = UInt64(truncatingIfNeeded: hash >> 64)
    let low = UInt64(truncatingIfNeeded: hash)
    self.init(
      high: high & 0xFFFF_FFFF_FFFF_0FFF | 0x8000, low: low & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000)
  }
}
