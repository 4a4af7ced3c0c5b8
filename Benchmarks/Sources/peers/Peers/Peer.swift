/// A job queue that is measured.
protocol Peer {
  var name: String { get }
  /// What is missing on this machine, for people; nil when it can be measured.
  var missing: String? { get }

  /// Starts it with an empty store, measures one closed loop, and stops it.
  func measure(_ load: Load, in workspace: Workspace) throws -> Sample
}

/// One closed loop.
struct Load {
  var clients: Int
  var warmUp: UInt64
  /// How long jobs are made, in nanoseconds; the run ends when the last is completed.
  var duration: UInt64
}

/// What one closed loop came to.
struct Sample {
  var jobs: Int
  var lifecyclesPerSecond: Double
  var create: Latencies
  var claim: Latencies
  var complete: Latencies
  /// CPU time a lifecycle, in microseconds.
  var serverCPU: Double
  var generatorCPU: Double
}

/// A peer that is a server on a Unix socket.
protocol SocketPeer: Peer {
  associatedtype Client: Wire

  /// Starts it with an empty store. It need not be ready yet.
  func start(in workspace: Workspace) throws -> (server: ServerProcess, socket: String)
  /// The client of a number, from 0.
  func client(_ number: Int, _ jobs: Jobs) -> Client
  /// Makes the empty store what the clients expect, once, before there is any of them.
  func prepare(_ socket: Socket) throws
}

extension SocketPeer {
  /// Whether a claim waits at the server for a job.
  var blocks: Bool { Client.blocks }

  func prepare(_ socket: Socket) throws {}

  /// Runs a body with a server that is ready, then stops it.
  func withServer<Value>(in workspace: Workspace, _ body: (ServerProcess, _ socket: String) throws -> Value)
    throws
    -> Value
  {
    let (server, path) = try start(in: workspace)
    defer { server.stop() }
    try server.waitUntilReady { try prepare(Socket(path)) }
    return try body(server, path)
  }

  func measure(_ load: Load, in workspace: Workspace) throws -> Sample {
    try withServer(in: workspace) { server, path in
      let jobs = Jobs()
      let producers = load.clients / 2
      let loop = try ClosedLoop(path: path, producers: producers, workers: load.clients - producers) {
        client($0, jobs)
      }
      _ = try loop.run(.createFor(load.warmUp))
      let (server0, own0) = (server.cpuMicroseconds, ProcessTimes.own)
      let tally = try loop.run(.createFor(load.duration))
      let (server1, own1) = (server.cpuMicroseconds, ProcessTimes.own)
      return Sample(tally, serverCPU: server1 - server0, generatorCPU: own1 - own0)
    }
  }
}

extension Sample {
  init(_ tally: Tally, serverCPU: UInt64, generatorCPU: UInt64) {
    let jobs = tally.complete.count
    self.init(
      jobs: jobs, lifecyclesPerSecond: Double(jobs) / tally.seconds, create: Latencies(tally.create),
      claim: Latencies(tally.claim), complete: Latencies(tally.complete),
      serverCPU: Double(serverCPU) / Double(max(jobs, 1)),
      generatorCPU: Double(generatorCPU) / Double(max(jobs, 1)))
  }
}
