import BrokerServer
import Glibc
import JobModel
import JobStore
import Logging
import SQLiteJobStore

/// Opens the store that the environment names: `JOB_STORE_BACKEND` (`local`, the default, or `turso`) and, for the
/// local one, `JOB_STORE_DB_PATH`, which `databasePath` overrides. The local one runs on the broker's loop.
///
/// - Throws: INVALID_ARGUMENT for an unknown backend, UNSUPPORTED for one that is not built yet, and what opening
///   the store throws.
func makeJobStore(
  environment: [String: String], databasePath: String?, durability: Durability, on loop: BrokerLoop,
  logger: Logger
) async throws(JobError) -> any JobStore {
  let backend = environment["JOB_STORE_BACKEND"].flatMap { $0.isEmpty ? nil : $0 } ?? "local"
  switch backend {
  case "local", "sqlite":
    let path =
      databasePath ?? environment["JOB_STORE_DB_PATH"] ?? defaultDatabasePath(environment: environment)
    return try await SQLiteJobStore.open(path: path, on: loop, durability: durability, logger: logger)
  case "turso", "libsql":
    throw JobError(
      .unsupported,
      "JOB_STORE_BACKEND=\(backend): the libSQL store is not built yet. Use JOB_STORE_BACKEND=local, or leave it out."
    )
  default:
    throw JobError(
      .invalidArgument, "JOB_STORE_BACKEND=\(backend) is not known. Use local (the default) or turso.")
  }
}

/// Where the database is unless somebody says otherwise.
private func defaultDatabasePath(environment: [String: String]) -> String {
  if geteuid() == 0 { return "/var/lib/jobbroker/jobs.db" }
  let state = environment["XDG_STATE_HOME"] ?? (environment["HOME"] ?? "") + "/.local/state"
  return state + "/jobbroker/jobs.db"
}
