import JobModel
import JobStore

/// The statements of a migration: one transaction, in which each runs if the one before it succeeded.
struct MigrationScript {
  /// A row of a table of the original store.
  struct Original {
    var row: Int64
    var id: String
  }

  private var batch = HranaBatch()
  private let begin: Int
  private let check: Int
  private var last: Int

  /// - Parameter condition: What must be so for any of it to run: an expression.
  init(guardedBy condition: String) {
    begin = batch.add("BEGIN IMMEDIATE")
    check = batch.add("SELECT CASE WHEN NOT (\(condition)) THEN json('') END", when: .ok(begin))
    last = check
  }

  mutating func add(_ sql: String, _ values: [SQLValue] = []) {
    last = batch.add(sql, values, when: .all([.ok(last), .isInTransaction]))
  }

  mutating func addAll(_ statements: some Sequence<String>) {
    for sql in statements { add(sql) }
  }

  /// The steps that copy the jobs of the original store, whose table has been set aside, and drop it.
  mutating func adopt(_ originals: [Original], at now: Timestamp, atOnce: Int) {
    let ids = OriginalJobs.newIDs(of: originals.lazy.map(\.id))
    add("CREATE TABLE adopted (place INTEGER PRIMARY KEY, original INTEGER, id BLOB, job_id TEXT) STRICT")
    for start in stride(from: 0, to: originals.count, by: atOnce) {
      let part = start..<min(start + atOnce, originals.count)
      let json =
        "["
        + part.map { place in
          var row = JSONWriter()
          row.raw("[")
          row.integer(originals[place].row)
          row.raw(",")
          row.string(ids[place].hexadecimal)
          row.raw(",")
          row.string(originals[place].id)
          row.raw("]")
          return String(decoding: row.bytes, as: UTF8.self)
        }.joined(separator: ",") + "]"
      add(
        """
        INSERT INTO adopted (place, original, id, job_id)
        SELECT ?2 + key, value ->> 0, unhex(value ->> 1), value ->> 2 FROM json_each(?1)
        """, [.text(json), .integer(start)])
    }
    // A row that came, went or changed its id since they were read stops it all.
    add(
      """
      SELECT CASE WHEN
        (SELECT count(*) FROM original_jobs) <> (SELECT count(*) FROM adopted)
        OR (SELECT count(*) FROM original_jobs AS o JOIN adopted AS a
            ON a.original = o.rowid AND a.job_id = CAST(o.jobId AS TEXT)) <> (SELECT count(*) FROM adopted)
      THEN json('') END
      """)
    add(
      OriginalJobs.insert(
        from: "original_jobs JOIN adopted ON adopted.original = original_jobs.rowid", id: "adopted.id",
        place: "adopted.place"),
      [.null, .null, .time(now), .integer(ClaimRequest.defaultLease.milliseconds)])
    // What stands there is not what the id's own text would be.
    add(
      """
      INSERT INTO original_ids (seq, job_id)
      SELECT j.seq, a.job_id FROM adopted AS a JOIN jobs AS j ON j.id = a.id
      WHERE a.job_id <> lower(
        substr(hex(j.id), 1, 8) || '-' || substr(hex(j.id), 9, 4) || '-' || substr(hex(j.id), 13, 4) || '-' ||
        substr(hex(j.id), 17, 4) || '-' || substr(hex(j.id), 21))
      """)
    add("DROP TABLE adopted")
    add("DROP TABLE original_jobs")
  }

  /// The whole batch; the step that fails when the condition does not hold; and the one that commits.
  var finished: (batch: HranaBatch, check: Int, commit: Int) {
    var batch = batch
    let commit = batch.add("COMMIT", when: .ok(last))
    batch.add("ROLLBACK", when: .all([.ok(begin), .not(.ok(commit)), .isInTransaction]))
    return (batch, check, commit)
  }
}
