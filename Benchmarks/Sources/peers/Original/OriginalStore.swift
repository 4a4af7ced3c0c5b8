/// The store that JobBroker grew out of: every process opens the file, with its table and its statements.
struct OriginalStore {
  private let database: SQLite
  private let insert, next, begin, take, commit, rollBack, finish: SQLite.Statement

  /// Opens the file, and makes it when it is not there.
  init(_ path: String) throws {
    database = try SQLite(path)
    try database.prepare(
      """
      CREATE TABLE IF NOT EXISTS audio_prep_jobs (
        jobId TEXT PRIMARY KEY, type TEXT NOT NULL, status TEXT NOT NULL, progress REAL NOT NULL DEFAULT 0, stage TEXT,
        metadata TEXT NOT NULL, result TEXT, error TEXT, retryCount INTEGER NOT NULL DEFAULT 0,
        createdAt TEXT NOT NULL, updatedAt TEXT NOT NULL)
      """
    ).run()
    try database.prepare(
      "CREATE INDEX IF NOT EXISTS jobs_by_status ON audio_prep_jobs (status, createdAt)"
    ).run()
    let now = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"
    insert = try database.prepare(
      """
      INSERT INTO audio_prep_jobs (jobId, type, status, metadata, createdAt, updatedAt)
      VALUES (?, 'bench', 'pending', ?, \(now), \(now))
      """)
    next = try database.prepare(
      "SELECT jobId, metadata FROM audio_prep_jobs WHERE status = 'pending' ORDER BY createdAt LIMIT 1")
    begin = try database.prepare("BEGIN IMMEDIATE")
    take = try database.prepare(
      "UPDATE audio_prep_jobs SET status = 'processing', updatedAt = \(now) WHERE jobId = ?")
    commit = try database.prepare("COMMIT")
    rollBack = try database.prepare("ROLLBACK")
    finish = try database.prepare(
      "UPDATE audio_prep_jobs SET status = 'complete', progress = 100, updatedAt = \(now) WHERE jobId = ?")
  }

  func create(_ id: String, metadata: String) throws { try insert.run(id, metadata) }

  /// Whether there is a pending job. It takes no lock, so looking costs the others nothing.
  func hasPending() throws -> Bool { try next.run() != nil }

  /// Takes the oldest pending job.
  func claim() throws -> String? {
    try begin.run()
    guard let id = try next.run() else {
      try rollBack.run()
      return nil
    }
    try take.run(id)
    try commit.run()
    return id
  }

  func complete(_ id: String) throws {
    try finish.run(id)
    guard database.changes == 1 else { throw Failure("original: job \(id) was not there to be completed") }
  }
}
