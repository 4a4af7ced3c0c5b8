import JobModel
import JobStore
import Logging

extension LibSQLJobStore {
  /// Connects to a database and brings it to the newest version of the schema. Several brokers may do that at once.
  ///
  /// - Parameters:
  ///   - configuration: Where the database is and how it is asked.
  ///   - clock: The wall clock.
  ///   - random: Uniform in 0..<1; spreads retries.
  ///   - logger: Told of migrations and of what went wrong with the server.
  /// - Throws: UNAVAILABLE when the server can't be reached; PERMISSION_DENIED when it refuses the token, or lets it
  ///   only read; UNSUPPORTED when the database is of a newer version; INVALID_ARGUMENT when it is another program's.
  public static func open(
    _ configuration: LibSQLConfiguration,
    clock: @escaping @Sendable () -> Timestamp = { .now },
    random: @escaping @Sendable () -> Double = { .random(in: 0..<1) },
    logger: Logger = Logger(label: "jobbroker.store")
  ) async throws(JobError) -> LibSQLJobStore {
    let client = HranaClient(configuration)
    do throws(JobError) {
      let migrator = LibSQLMigrator(client: client, configuration: configuration, logger: logger)
      try await migrator.migrate(at: clock())
      let broker = Int64.random(in: 1 ... .max)
      let known = try await migrator.register(broker, at: clock())
      await migrator.warnOfCheckpoints()
      return LibSQLJobStore(
        client, configuration, broker: broker, knownChange: known, clock: clock, random: random,
        logger: logger)
    } catch {
      await client.close()
      throw error
    }
  }
}

/// Brings a database to the newest version of the schema, and refuses those that are another program's.
struct LibSQLMigrator {
  /// Rows of a table of the original store whose ids are asked for, or told, at a time.
  private static let adoptedAtOnce = 10_000

  let client: HranaClient
  let configuration: LibSQLConfiguration
  let logger: Logger

  /// What a database is.
  private enum Origin: Equatable {
    case empty
    case version(Int)
    case originalStore
  }

  func migrate(at now: Timestamp) async throws(JobError) {
    // Another broker that migrates at the same time makes the guard fail; then this one looks again.
    for _ in 0..<10 {
      let (origin, version) = try await identify()
      if case .version(JobSchema.version) = origin {
        if try await addOwnTables() { return }
        continue
      }
      if try await apply(origin, from: version, at: now) {
        logger.info("Database migrated", metadata: ["version": "\(JobSchema.version)"])
        return
      }
    }
    throw JobError(.unavailable, "The database is being migrated by another broker; try again")
  }

  private func identify() async throws(JobError) -> (Origin, version: Int) {
    var batch = HranaBatch()
    let version = batch.add("SELECT user_version FROM pragma_user_version")
    let tables = batch.add(
      """
      SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
        AND name NOT LIKE 'libsql\\_%' ESCAPE '\\' AND name NOT LIKE '\\_%' ESCAPE '\\'
      """)
    let columns = batch.add("SELECT name FROM pragma_table_info('\(OriginalJobs.table)')")
    let result = try await run(batch)
    let known = Int(try Self.rows(result, version).first?.integer(0) ?? 0)
    let names = Set(try Self.rows(result, tables).map { $0.text(0) })
    if known > JobSchema.version {
      throw JobError(
        .unsupported,
        "The database has version \(known) of the schema, this program knows \(JobSchema.version): use a newer one"
      )
    }
    if known > 0, names.isSuperset(of: ["jobs", "job_attempts", "paused_types"]) {
      return (.version(known), known)
    }
    if known == 0, names.isEmpty { return (.empty, known) }
    let found = Set(try Self.rows(result, columns).map { $0.text(0) })
    if known == 0, names.contains(OriginalJobs.table), OriginalJobs.columns.isSubset(of: found) {
      return (.originalStore, known)
    }
    throw JobError(
      .invalidArgument, "TURSO_DATABASE_URL names another program's database: choose another")
  }

  /// Migrates in one transaction; false when the database is no longer what it was.
  private func apply(_ origin: Origin, from version: Int, at now: Timestamp) async throws(JobError) -> Bool {
    var script = MigrationScript(guardedBy: "(SELECT user_version FROM pragma_user_version) = \(version)")
    if origin == .originalStore {
      let originals: [MigrationScript.Original]
      do throws(JobError) { originals = try await originalIDs() } catch {
        // Another broker may have adopted them since, and then the table is a view.
        if try await identify().0 != origin { return false }
        throw error
      }
      script.add(OriginalJobs.setAside)
      script.addAll(JobSchema.migrations.joined())
      script.adopt(originals, at: now, atOnce: Self.adoptedAtOnce)
    } else {
      script.addAll(JobSchema.migrations[version...].joined())
    }
    script.addAll(LibSQLSchema.statements)
    script.add("PRAGMA user_version = \(JobSchema.version)")
    return try await run(script)
  }

  /// A database that came from a file of the local store has the tables of `JobSchema` alone. False when others kept
  /// it from being changed.
  private func addOwnTables() async throws(JobError) -> Bool {
    var batch = HranaBatch()
    let tables = batch.add("SELECT count(*) FROM sqlite_master WHERE name IN ('brokers', 'job_changes')")
    if try Self.rows(try await run(batch), tables).first?.integer(0) == 2 { return true }
    var script = MigrationScript(guardedBy: "1")
    script.addAll(LibSQLSchema.statements)
    return try await run(script)
  }

  /// Notes that the broker is there, which shows that the token may write, and forgets those not opened for long;
  /// returns the last change so far.
  func register(_ broker: Int64, at now: Timestamp) async throws(JobError) -> Int64 {
    var batch = HranaBatch()
    let begin = batch.add("BEGIN IMMEDIATE")
    let registered = batch.add(
      LibSQLStatement.register, [.integer(broker), .integer(0), .time(now)], when: .ok(begin))
    let newest = batch.add(LibSQLStatement.newestChange, when: .ok(begin))
    let commit = batch.add("COMMIT", when: .ok(begin))
    batch.add("ROLLBACK", when: .all([.ok(begin), .not(.ok(commit)), .isInTransaction]))
    let result = try await run(batch)
    for step in [begin, registered, commit] {
      // It is known already when the first answer was lost.
      guard let error = result.stepErrors[step], !error.message.hasSuffix(LibSQLStatement.repeated) else {
        continue
      }
      throw JobError(opening: .failed(error))
    }
    return try Self.rows(result, newest).first?.integer(0) ?? 0
  }

  /// Warns of a server that copies its log into the database after commits, as sqld does unless it is told otherwise:
  /// when several brokers write, it may give the right to write to a connection that is gone, and answers no write
  /// from then on.
  func warnOfCheckpoints() async {
    var batch = HranaBatch()
    let pages = batch.add("PRAGMA wal_autocheckpoint")
    // A server that does not tell is none that is known to do so.
    guard let result = try? await client.run(batch), let row = result.stepResults[pages]?.rows.first,
      row.integer(0) > 0
    else { return }
    logger.warning(
      """
      This database server may stop answering when several brokers share it. If it is a sqld of your own, start it with \
      --checkpoint-interval-s 10; see docs/libsql.md
      """)
  }

  private func originalIDs() async throws(JobError) -> [MigrationScript.Original] {
    var originals: [MigrationScript.Original] = []
    while true {
      var batch = HranaBatch()
      let page = batch.add(
        OriginalJobs.ids(in: OriginalJobs.table) + " LIMIT ?1 OFFSET ?2",
        [.integer(Self.adoptedAtOnce), .integer(originals.count)])
      let rows = try Self.rows(try await run(batch), page)
      originals += rows.map { .init(row: $0.integer(0), id: $0.text(1)) }
      if rows.count < Self.adoptedAtOnce { return originals }
    }
  }

  private func run(_ script: MigrationScript) async throws(JobError) -> Bool {
    let (batch, check, commit) = script.finished
    let result = try await run(batch)
    if result.stepResults[commit] != nil { return true }
    if result.stepErrors[check] != nil { return false }
    guard let error = result.stepErrors.lazy.compactMap({ $0 }).first else { return false }
    if error.isBusy { return false }
    throw JobError(opening: .failed(error))
  }

  /// Asks until there is an answer, or patience ends. All of it may be repeated.
  private func run(_ batch: HranaBatch) async throws(JobError) -> HranaResult {
    var backoff = Backoff(patience: configuration.patience)
    while true {
      do throws(HranaFailure) { return try await client.run(batch) } catch {
        guard error.isPassing, await backoff.wait() else { throw JobError(opening: error) }
      }
    }
  }

  private static func rows(_ result: HranaResult, _ step: Int) throws(JobError) -> [HranaRow] {
    if let rows = result.stepResults[step]?.rows { return rows }
    throw JobError(opening: .failed(result.stepErrors[step] ?? HranaError(message: "it skipped a step")))
  }
}

extension JobError {
  /// What to say when a database can't be opened: which variable to look at, and never the token.
  init(opening failure: HranaFailure) {
    let code: Code =
      switch failure {
      case .refused(401, _), .refused(403, _): .permissionDenied
      case .failed(let error) where error.code == "BLOCKED" || error.message.contains("not authorized"):
        .permissionDenied
      default: .unavailable
      }
    self.init(code, "TURSO_DATABASE_URL: the database \(failure)")
  }
}
