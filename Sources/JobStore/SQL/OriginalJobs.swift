import JobModel

/// A database that the store JobBroker grew out of has made: one table, `audio_prep_jobs`, with ISO dates.
///
/// Its jobs are adopted in the order of their creation:
/// - An id that is not the text of a UUID gets one derived from its text; the text stays in `original_ids`.
/// - Metadata or a result that is no JSON object becomes one: `{"value": …}` around other JSON, `{"text": "…"}`
///   around what is no JSON.
/// - A job that is processing keeps its status, as attempt 1, with a lease from now: its worker can't report any
///   more, so it will be found lost and come back to the queue.
/// - A status that is not known becomes `failed`, with an error that names it.
/// - Metadata and results that a frame could not hold are left out, stages and errors are cut. An error says so, and a job
///   without its metadata is `failed`, for it can't be run. The backup of the database has the texts.
public enum OriginalJobs {
  /// The name of the table.
  public static let table = "audio_prep_jobs"

  /// The columns by which it is known.
  public static let columns: Set<String> = [
    "jobId", "type", "status", "progress", "stage", "metadata", "result", "error", "retryCount", "createdAt",
    "updatedAt",
  ]

  /// Moves the table out of the way of the view of the same name.
  public static let setAside = "ALTER TABLE \(table) RENAME TO original_jobs"

  /// The rows with the texts of their ids, in the order in which they are adopted.
  public static func ids(in table: String) -> String {
    "SELECT rowid, CAST(jobId AS TEXT) FROM \(table) ORDER BY createdAt, rowid"
  }

  /// Which ids the jobs get, in the order of `ids`. Text that is no UUID, or the same UUID in another spelling, gives
  /// way to one derived from it.
  public static func newIDs(of texts: some Sequence<String>) -> [JobID] {
    var taken: Set<JobID> = []
    return texts.map { text in
      let parsed = JobID(text).flatMap { taken.contains($0) ? nil : $0 }
      let id = parsed ?? JobID(derivedFrom: text)
      taken.insert(id)
      return id
    }
  }

  /// Copies rows of `original_jobs` at `?3`; a job that is processing gets a lease of `?4` ms.
  ///
  /// - Parameters:
  ///   - source: What to select from, `original_jobs` among it.
  ///   - id: An expression for the new id.
  ///   - place: An expression for the row's place in the order.
  public static func insert(from source: String, id: String, place: String) -> String {
    """
    WITH original AS (
      SELECT
        \(id) AS id, \(place) AS place,
        coalesce(nullif(\(cut("type", to: Limits.name)), ''), 'unknown') AS type,
        CASE status WHEN 'completed' THEN 'complete' WHEN 'canceled' THEN 'cancelled' ELSE status END AS status,
        min(max(coalesce(CAST(progress AS REAL), 0.0), 0.0), 100.0) AS progress,
        \(cut("stage", to: Limits.name)) AS stage, CAST(metadata AS TEXT) AS metadata, CAST(result AS TEXT) AS result,
        \(cut("error", to: Limits.error - 1024)) AS error, max(coalesce(CAST(retryCount AS INTEGER), 0), 0) AS retry_count,
        coalesce(\(milliseconds("createdAt")), \(milliseconds("updatedAt")), ?3) AS created_at,
        coalesce(\(milliseconds("updatedAt")), \(milliseconds("createdAt")), ?3) AS updated_at
      FROM \(source)),
    checked AS (
      SELECT *, status IN ('pending', 'processing', 'complete', 'failed', 'cancelled') IS TRUE AS is_known,
        \(object("metadata", ifNull: "'{}'")) AS metadata_object, \(object("result", ifNull: "NULL")) AS result_object
      FROM original),
    judged AS (
      SELECT *, \(JobStatement.size(of: "metadata_object")) > \(Limits.payload) AS lacks_metadata,
        \(JobStatement.size(of: "result_object")) > \(Limits.payload) AS lacks_result
      FROM checked),
    fitted AS (
      SELECT *,
        CASE WHEN NOT is_known OR (lacks_metadata AND status IN ('pending', 'processing')) THEN 'failed' ELSE status END
          AS new_status,
        CASE WHEN is_known AND NOT lacks_metadata AND NOT lacks_result THEN error ELSE
          coalesce(error || '; ', '') || 'Adopted'
          || CASE WHEN is_known THEN '' ELSE ' with the unknown status ' || substr(coalesce(quote(status), 'NULL'), 1, 64) END
          || CASE WHEN lacks_metadata THEN ' without its metadata, which no frame could hold' ELSE '' END
          || CASE WHEN lacks_result THEN ' without its result, which no frame could hold' ELSE '' END END AS new_error
      FROM judged)
    INSERT INTO jobs (
      id, type, status, priority, progress, stage, error, retry_count, max_retries, max_lost, attempt, lease_ms,
      lease_expires_at, created_at, updated_at, started_at, finished_at, result, metadata)
    SELECT
      id, type, new_status, 0, progress, stage, new_error, retry_count, \(NewJob.defaultMaxRetries),
      \(NewJob.defaultMaxLost), new_status IS 'processing',
      CASE WHEN new_status IS 'processing' THEN ?4 END, CASE WHEN new_status IS 'processing' THEN ?3 + ?4 END,
      created_at, updated_at, CASE WHEN new_status IS 'processing' THEN updated_at END,
      CASE WHEN new_status NOT IN ('pending', 'processing') THEN updated_at END,
      CASE WHEN NOT lacks_result THEN result_object END, CASE WHEN lacks_metadata THEN '{}' ELSE metadata_object END
    FROM fitted ORDER BY place
    """
  }

  /// A column with an ISO date as milliseconds since the Unix epoch; NULL when SQLite can't read it. SQLite counts
  /// days to the millisecond, so rounding restores it exactly.
  private static func milliseconds(_ column: String) -> String {
    "CAST(round((julianday(\(column)) - 2440587.5) * 86400000) AS INTEGER)"
  }

  /// A column as a text of so many bytes at most.
  private static func cut(_ column: String, to bytes: Int) -> String {
    let text = "CAST(\(column) AS TEXT)"
    // No character takes more than four.
    let start = "substr(\(text), 1, \(bytes / 4))"
    return "CASE WHEN \(JobStatement.size(of: text)) > \(bytes) THEN \(start) ELSE \(text) END"
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
  public init(derivedFrom text: String) {
    let prime: UInt128 = (1 << 88) + 0x13B
    var hash: UInt128 = 0x6C62_272E_07BB_0142_62B8_2175_6295_C58D
    for byte in text.utf8 { hash = (hash ^ UInt128(byte)) &* prime }
    let high = UInt64(truncatingIfNeeded: hash >> 64)
    let low = UInt64(truncatingIfNeeded: hash)
    self.init(
      high: high & 0xFFFF_FFFF_FFFF_0FFF | 0x8000, low: low & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000)
  }
}
