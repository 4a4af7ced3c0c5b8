import Glibc

/// PostgreSQL as a job queue: FOR UPDATE SKIP LOCKED, in a cluster of our own with its default, durable settings.
struct PostgreSQLPeer: SocketPeer {
  let name = "postgresql"

  var missing: String? {
    guard PostgreSQLPeer.program("initdb") != nil, PostgreSQLPeer.program("postgres") != nil else {
      return "apt-get install postgresql"
    }
    return geteuid() == 0 && PostgreSQLPeer.user == nil
      ? "it does not run as root, and there is no user nobody" : nil
  }

  /// Debian keeps its programs in a folder a version.
  private static func program(_ name: String) -> String? {
    let versions = "/usr/lib/postgresql"
    return Workspace.program(name, alsoIn: Workspace.entries(of: versions).map { "\(versions)/\($0)/bin" })
  }

  /// Whom it runs as when we are root.
  private static let user: (uid: uid_t, gid: gid_t)? = {
    guard geteuid() == 0 else { return nil }
    let entry = getpwnam("postgres") ?? getpwnam("nobody")
    return entry.map { ($0.pointee.pw_uid, $0.pointee.pw_gid) }
  }()

  func start(in workspace: Workspace) throws -> (server: ServerProcess, socket: String) {
    guard let initdb = PostgreSQLPeer.program("initdb"), let postgres = PostgreSQLPeer.program("postgres")
    else {
      throw Failure("postgresql is gone")
    }
    let user = PostgreSQLPeer.user
    // Making a cluster takes seconds, so one serves all runs; each begins with a new table.
    let folder = "\(workspace.path)/postgresql"
    if access("\(folder)/data", F_OK) != 0 {
      _ = try workspace.folder("postgresql", owner: user)
      let arguments = [
        initdb, "--pgdata", "\(folder)/data", "--username", "postgres", "--auth", "trust", "--no-sync",
        "--no-locale", "--encoding", "UTF8",
      ]
      try ServerProcess.run(arguments, user: user, log: "\(folder)/log")
    }
    let settings = [
      "listen_addresses=", "unix_socket_directories=\(folder)", "fsync=on", "synchronous_commit=on",
      "max_connections=300",
    ]
    let arguments = [postgres, "-D", "\(folder)/data"] + settings.flatMap { ["-c", $0] }
    let server = try ServerProcess(arguments, user: user, log: "\(folder)/log", stopSignal: SIGINT)
    return (server, "\(folder)/.s.PGSQL.5432")
  }

  func prepare(_ socket: Socket) throws {
    try PostgreSQLWire.start(socket)
    try PostgreSQLWire.run(PostgreSQLWire.table, on: socket)
  }

  func client(_ number: Int, _ jobs: Jobs) -> PostgreSQLWire { PostgreSQLWire(jobs) }
}
