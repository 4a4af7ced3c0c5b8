import CSQLite
import Glibc
import JobModel
import JobStore
import Logging

/// Brings a database to the newest version of the schema, and refuses files that are not its own.
struct Migrator {
  let connection: Connection
  let path: String
  let logger: Logger
  var migrations = JobSchema.migrations

  /// What a file is.
  enum Origin {
    case empty
    case version(Int)
    case originalStore
    case newer(Int)
    case foreign
  }

  /// Looks what the file is, and switches it to WAL mode.
  ///
  /// - Throws: UNSUPPORTED for a newer version, INVALID_ARGUMENT for another program's file, and what SQLite says.
  func open() throws(JobError) -> Origin {
    let origin = try sqlite("open", identify)
    switch origin {
    case .newer(let version):
      throw JobError(
        .unsupported,
        "\(path) has version \(version) of the schema, this program knows \(migrations.count): use a newer one."
      )
    case .foreign:
      throw JobError(.invalidArgument, "\(path) is another program's database: choose another path.")
    case .empty, .version, .originalStore:
      // Only now that the file is known to be ours.
      try sqlite("open", useWriteAheadLog)
      return origin
    }
  }

  /// Migrates the database. One that holds data is copied to `<path>.backup-vN` first, with N the version it had.
  ///
  /// - Parameter origin: what `open` has returned.
  func migrate(from origin: Origin, now: Timestamp) throws(JobError) {
    switch origin {
    case .version(migrations.count): return
    case .version(let version): try backUp(version: version)
    case .originalStore: try backUp(version: 0)
    case .empty, .newer, .foreign: break
    }
    try sqlite("migrate") { () throws(SQLiteError) in
      try connection.transaction { () throws(SQLiteError) in
        switch origin {
        case .originalStore:
          let original = try OriginalStore(setAsideOn: connection)
          try apply(from: 0)
          try original.adopt(at: now)
        case .version(let version): try apply(from: version)
        case .empty, .newer, .foreign: try apply(from: 0)
        }
      }
    }
    logger.info("Database migrated", metadata: ["path": "\(path)", "version": "\(migrations.count)"])
  }

  private func identify() throws(SQLiteError) -> Origin {
    let application = try connection.integer("PRAGMA application_id")
    let version = Int(try connection.integer("PRAGMA user_version") ?? 0)
    if application == JobSchema.applicationID, version >= 0 {
      return version > migrations.count ? .newer(version) : .version(version)
    }
    guard application == 0, version == 0 else { return .foreign }
    if try connection.integer("SELECT count(*) FROM sqlite_master") == 0 { return .empty }
    return try OriginalStore.exists(on: connection) ? .originalStore : .foreign
  }

  private func useWriteAheadLog() throws(SQLiteError) {
    guard try connection.text("PRAGMA journal_mode = WAL") == "wal" else {
      throw SQLiteError(
        code: SQLITE_CANTOPEN, message: "its file system can't share memory, as WAL mode needs")
    }
    // SQLite opens the log with the first read.
    _ = try connection.integer("SELECT count(*) FROM sqlite_master")
  }

  private func apply(from version: Int) throws(SQLiteError) {
    for statement in migrations[version...].joined() { try connection.run(statement) }
    try connection.run("PRAGMA application_id = \(JobSchema.applicationID)")
    try connection.run("PRAGMA user_version = \(migrations.count)")
  }

  /// Under its final name only once it is whole.
  private func backUp(version: Int) throws(JobError) {
    let backup = "\(path).backup-v\(version)"
    unlink(backup + "-partial")
    try Backup.write(connection, to: backup + "-partial")
    guard rename(backup + "-partial", backup) == 0 else {
      throw .system("Cannot rename the backup to \(backup)")
    }
    try PrivateFile.sync(backup)
    logger.notice("Database backed up before its migration", metadata: ["path": "\(backup)"])
  }

  private func sqlite<T>(_ verb: String, _ body: () throws(SQLiteError) -> T) throws(JobError) -> T {
    do { return try body() } catch { throw JobError(error, cannot: verb, path) }
  }
}
