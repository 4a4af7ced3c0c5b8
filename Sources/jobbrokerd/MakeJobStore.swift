import BrokerServer
import Glibc
import JobModel
import JobStore
import LibSQLJobStore
import Logging
import SQLiteJobStore

/// Opens the store that the environment names: `JOB_STORE_BACKEND` (`local`, the default, or `turso`). For the local
/// one, which runs on the broker's loop, `JOB_STORE_DB_PATH`, which `databasePath` overrides; for the other
/// `TURSO_DATABASE_URL`, `TURSO_AUTH_TOKEN` and `TURSO_CA_FILE`.
///
/// - Throws: INVALID_ARGUMENT for an unknown backend, for a variable that is missing or makes no sense, and for an
///   option that the backend does not know; and what opening the store throws.
func makeJobStore(
  environment: [String: String], databasePath: String?, durability: Durability?, on loop: BrokerLoop,
  logger: Logger
) async throws(JobError) -> any JobStore {
  // What is empty counts as not there, as with most programs.
  let environment = environment.filter { !$0.value.isEmpty }
  let backend = environment["JOB_STORE_BACKEND"] ?? "local"
  switch backend {
  case "local", "sqlite":
    let path =
      databasePath ?? environment["JOB_STORE_DB_PATH"] ?? defaultDatabasePath(environment: environment)
    return try await SQLiteJobStore.open(
      path: path, on: loop, durability: durability ?? .full, logger: logger)
  case "turso", "libsql":
    guard databasePath == nil else {
      throw JobError(
        .invalidArgument, "--db is for the local store; JOB_STORE_BACKEND=\(backend) uses TURSO_DATABASE_URL")
    }
    guard durability == nil else {
      throw JobError(
        .invalidArgument,
        "--durability is for the local store; what a change survives with JOB_STORE_BACKEND=\(backend) is its server's matter"
      )
    }
    guard let url = environment["TURSO_DATABASE_URL"] else {
      throw JobError(
        .invalidArgument,
        "JOB_STORE_BACKEND=\(backend) needs TURSO_DATABASE_URL, as in libsql://NAME.turso.io or http://127.0.0.1:8080"
      )
    }
    let configuration = try LibSQLConfiguration(
      url: url, token: environment["TURSO_AUTH_TOKEN"], authorities: environment["TURSO_CA_FILE"])
    return try await LibSQLJobStore.open(configuration, logger: logger)
  default:
    throw JobError(
      .invalidArgument, "JOB_STORE_BACKEND=\(backend) is not known. Use local (the default) or turso.")
  }
}

/// Where the database is unless somebody says otherwise.
private func defaultDatabasePath(environment: [String: String]) -> String {
  if geteuid() == 0 { return "/var/lib/jobbroker/jobs.db" }
  // One that is no absolute path counts as absent (XDG Base Directory Specification).
  let named = environment["XDG_STATE_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
  let state = named ?? (environment["HOME"] ?? "") + "/.local/state"
  return state + "/jobbroker/jobs.db"
}
