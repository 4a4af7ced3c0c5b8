import JobModel
import JobStore

/// Adopts the jobs of a database that the store JobBroker grew out of has made; see `OriginalJobs`.
struct OriginalStore {
  private let connection: Connection

  /// Whether the database is of that kind.
  static func exists(on connection: Connection) throws(SQLiteError) -> Bool {
    let found = try connection.prepare("SELECT name FROM pragma_table_info('\(OriginalJobs.table)')").all {
      $0.text(0)
    }
    let tables = try connection.integer(
      "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = '\(OriginalJobs.table)'")
    return tables == 1 && OriginalJobs.columns.isSubset(of: found)
  }

  /// Moves the table out of the way of the view of the same name.
  init(setAsideOn connection: Connection) throws(SQLiteError) {
    self.connection = connection
    try connection.run(OriginalJobs.setAside)
  }

  /// Copies the jobs into the schema, which has just been made, and drops the table.
  func adopt(at now: Timestamp) throws(SQLiteError) {
    let insert = try connection.prepare(
      OriginalJobs.insert(from: "original_jobs WHERE rowid = ?1", id: "?2", place: "0"))
    let keepID = try connection.prepare("INSERT INTO original_ids (seq, job_id) VALUES (?1, ?2)")
    let rows = try connection.prepare(OriginalJobs.ids(in: "original_jobs"))
    let lease = ClaimRequest.defaultLease.milliseconds
    let originals = try rows.all([], { (s: Statement) in (row: s.integer(0), id: s.text(1)) })
    for (original, id) in zip(originals, OriginalJobs.newIDs(of: originals.lazy.map(\.id))) {
      try insert.run([.integer(original.row), .id(id), .time(now), .integer(lease)])
      if id.description != original.id {
        try keepID.run([.integer(connection.lastInsertedRow), .text(original.id)])
      }
    }
    try connection.run("DROP TABLE original_jobs")
  }
}
