/// A build of our broker.
struct JobBrokerPeer: SocketPeer {
  let name: String
  let program: String
  var durability = "full"

  var missing: String? { Workspace.program(program) == nil ? "no program \(program)" : nil }

  func client(_ number: Int, _ jobs: Jobs) -> JobBrokerWire { JobBrokerWire(jobs) }

  func prepare(_ socket: Socket) throws {
    var client = JobBrokerWire(Jobs())
    try client.open(socket)
  }

  func start(in workspace: Workspace) throws -> (server: ServerProcess, socket: String) {
    try start(folder: workspace.folder("jobbroker"))
  }

  /// Starts it with the store that is in a folder, or an empty one.
  func start(folder: String) throws -> (server: ServerProcess, socket: String) {
    let arguments = [
      program, "--socket", "\(folder)/s", "--db", "\(folder)/jobs.db", "--durability", durability,
    ]
    return (try ServerProcess(arguments, log: "\(folder)/log"), "\(folder)/s")
  }
}
