/// Redis with an append-only file that is synced before each reply, and no snapshots.
enum RedisServer {
  static var missing: String? {
    Workspace.program("redis-server") == nil ? "apt-get install redis-server" : nil
  }

  static func start(in workspace: Workspace) throws -> (server: ServerProcess, socket: String) {
    let folder = try workspace.folder("redis")
    let arguments = [
      "redis-server", "--port", "0", "--unixsocket", "\(folder)/s", "--dir", folder, "--appendonly", "yes",
      "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0", "--save", "",
    ]
    return (try ServerProcess(arguments, log: "\(folder)/log"), "\(folder)/s")
  }
}

struct RedisListsPeer: SocketPeer {
  let name = "redis-lists"
  var missing: String? { RedisServer.missing }

  func start(in workspace: Workspace) throws -> (server: ServerProcess, socket: String) {
    try RedisServer.start(in: workspace)
  }

  func prepare(_ socket: Socket) throws { try socket.exchange(RESP.command(["PING"]), RESP.success) }

  func client(_ number: Int, _ jobs: Jobs) -> RedisListsWire { RedisListsWire(jobs, number: number) }
}

struct RedisStreamsPeer: SocketPeer {
  let name = "redis-streams"
  var missing: String? { RedisServer.missing }

  func start(in workspace: Workspace) throws -> (server: ServerProcess, socket: String) {
    try RedisServer.start(in: workspace)
  }

  func prepare(_ socket: Socket) throws {
    try socket.exchange(RESP.command(["XGROUP", "CREATE", "jobs", "workers", "$", "MKSTREAM"]), RESP.success)
  }

  func client(_ number: Int, _ jobs: Jobs) -> RedisStreamsWire { RedisStreamsWire(jobs, number: number) }
}
