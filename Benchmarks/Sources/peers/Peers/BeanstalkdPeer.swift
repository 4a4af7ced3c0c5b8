/// beanstalkd with a write-ahead log that is synced at every write.
struct BeanstalkdPeer: SocketPeer {
  let name = "beanstalkd"

  var missing: String? { Workspace.program("beanstalkd") == nil ? "apt-get install beanstalkd" : nil }

  func start(in workspace: Workspace) throws -> (server: ServerProcess, socket: String) {
    let folder = try workspace.folder("beanstalkd")
    let arguments = ["beanstalkd", "-l", "unix:\(folder)/s", "-b", folder, "-f", "0"]
    return (try ServerProcess(arguments, log: "\(folder)/log"), "\(folder)/s")
  }

  func client(_ number: Int, _ jobs: Jobs) -> BeanstalkWire { BeanstalkWire(jobs) }
}
