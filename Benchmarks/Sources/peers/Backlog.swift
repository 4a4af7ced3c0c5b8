/// What a long queue costs: the start with it, `position` in it, and claims from it.
struct Backlog {
  /// Jobs that wait.
  let count: Int
  /// From the start of the process to the first answer, in nanoseconds.
  private(set) var startUp: UInt64 = 0
  private(set) var position = Latencies([])
  /// Of each round: jobs claimed and completed a second, from a short queue and from the long one.
  private(set) var fromShort: [Double] = []
  private(set) var fromLong: [Double] = []

  private static let clients = 64
  /// Jobs claimed a round, and the length of the short queue.
  private static let claims = 20_000
  /// Jobs of one create; the broker takes up to 1,000.
  private static let batch = 1000
  private static let positions = 1000

  init(_ broker: JobBrokerPeer, jobs count: Int, rounds: Int, in workspace: Workspace) throws {
    self.count = count
    let jobs = Jobs()
    let folder = try workspace.folder("backlog")
    try Backlog.with(broker, folder: folder) { try Backlog.fill($0, jobs, 0..<count) }
    let start = Clock.now
    try Backlog.with(broker, folder: folder) { long in
      startUp = Clock.now - start
      position = try Backlog.positions(long, jobs, count)
      try broker.withServer(in: workspace) { _, short in
        for round in 0..<rounds {
          let base = round * Backlog.claims
          try Backlog.fill(short, jobs, base..<base + Backlog.claims)
          fromShort.append(try Backlog.drain(short, jobs, of: base + Backlog.claims))
          fromLong.append(try Backlog.drain(long, jobs, of: count))
        }
      }
    }
  }

  /// Runs a body with a broker that is ready, on the store in a folder, then stops it.
  private static func with(_ broker: JobBrokerPeer, folder: String, _ body: (_ socket: String) throws -> Void)
    throws
  {
    let (server, path) = try broker.start(folder: folder)
    defer { server.stop() }
    try server.waitUntilReady { try broker.prepare(Socket(path)) }
    try body(path)
  }

  private static func open(_ path: String, _ jobs: Jobs) throws -> Socket {
    let socket = try Socket(path)
    var client = JobBrokerWire(jobs)
    try client.open(socket)
    return socket
  }

  private static func fill(_ path: String, _ jobs: Jobs, _ numbers: Range<Int>) throws {
    let socket = try open(path, jobs)
    for first in stride(from: numbers.lowerBound, to: numbers.upperBound, by: batch) {
      try Interrupt.wait(milliseconds: 0)
      let part = UInt32(first)..<UInt32(min(first + batch, numbers.upperBound))
      let frame = JobBrokerWire.frame(4, JobBrokerWire.createBody(of: part, jobs))
      try socket.exchange(frame) { try JobBrokerWire.reply($0, is: 5) { _ in } }
    }
  }

  /// Asks for the positions of jobs here and there, which are their numbers: nothing has been claimed.
  private static func positions(_ path: String, _ jobs: Jobs, _ count: Int) throws -> Latencies {
    let socket = try open(path, jobs)
    var times: [UInt64] = []
    for _ in 0..<positions {
      let number = UInt32.random(in: 0..<UInt32(count))
      var id: [UInt8] = []
      jobs.appendID(number, to: &id)
      var body: [UInt8] = []
      Protobuf.field(1, id, to: &body)
      let frame = JobBrokerWire.frame(16, body)
      let before = Clock.now
      let position = try socket.exchange(frame) {
        try JobBrokerWire.reply($0, is: 10) { try Protobuf.number(1, of: $0) }
      }
      times.append(Clock.now - before)
      guard position == UInt64(number) else {
        throw Failure("jobbroker: position \(position.map { "\($0)" } ?? "unknown"), and not \(number)")
      }
    }
    return Latencies(times)
  }

  /// - Returns: jobs claimed and completed a second.
  private static func drain(_ path: String, _ jobs: Jobs, of count: Int) throws -> Double {
    let loop = try ClosedLoop(path: path, producers: 0, workers: clients, existing: count) { _ in
      JobBrokerWire(jobs)
    }
    let tally = try loop.run(.complete(claims))
    return Double(tally.complete.count) / tally.seconds
  }
}
