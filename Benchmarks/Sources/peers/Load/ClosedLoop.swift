import CSystem
import Glibc

/// A closed loop of clients on one thread: each has one request under way, and sends the next when it is answered.
///
/// It shares the cores with the server, so it is to be cheap, and equally cheap for every peer: one clock reading an
/// answer, raw sockets, and a codec that the compiler specialises it for.
final class ClosedLoop<Client: Wire> {
  private struct Connection {
    let socket: Socket
    var client: Client
    let isProducer: Bool
    var request: Request?
    var sentAt: UInt64 = 0
    var job: UInt32 = 0
  }

  /// What ends a run.
  enum Goal {
    /// New jobs are made for so many nanoseconds; the run ends when all jobs are completed.
    case createFor(UInt64)
    /// So many of the jobs that are there are completed.
    case complete(Int)
  }

  /// How long a worker of a peer that can't block waits when there was no job, in milliseconds.
  private static var pollInterval: Int32 { 1 }
  /// Without an answer for so long, the server is thought to have lost something.
  private static var patience: UInt64 { 30 * Clock.second }

  private let queue = epoll_create1(Int32(EPOLL_CLOEXEC))
  private var connections: [Connection] = []
  private var census: Census
  private var output: [UInt8] = []
  /// Workers of a peer that can't block, who found nothing, and when they look again.
  private var idle: [Int] = []
  private var idleUntil: UInt64 = 0
  private var tally = Tally()
  private var deadline: UInt64 = 0

  /// Connects all clients and lets them make ready.
  ///
  /// - Parameter existing: how many jobs, numbered from 0, are there already.
  init(path: String, producers: Int, workers: Int, existing: Int = 0, client: (Int) -> Client) throws {
    census = Census(created: existing)
    for index in 0..<(producers + workers) {
      var client = client(index)
      let socket = try Socket(path)
      try client.open(socket)
      connections.append(Connection(socket: socket, client: client, isProducer: index < producers))
      listen(to: socket.descriptor, as: index)
    }
    listen(to: Interrupt.descriptor, as: -1)
  }

  deinit { close(queue) }

  private func listen(to descriptor: Int32, as index: Int) {
    var event = epoll_event()
    event.events = EPOLLIN.rawValue
    event.data.u64 = UInt64(bitPattern: Int64(index))
    epoll_ctl(queue, EPOLL_CTL_ADD, descriptor, &event)
  }

  /// Runs to the goal. Workers that are blocked in a claim at the end are so at the beginning of the next run.
  func run(_ goal: Goal) throws -> Tally {
    tally = Tally()
    tally.start = Clock.now
    if case .createFor(let time) = goal { deadline = tally.start + time } else { deadline = 0 }
    for index in connections.indices {
      if connections[index].request != nil {
        connections[index].sentAt = tally.start
      } else if connections[index].isProducer {
        try createNext(index, at: tally.start)
      } else {
        try send(.claim, index, at: tally.start)
      }
    }
    var events = [epoll_event](repeating: epoll_event(), count: 128)
    var lastAnswer = tally.start
    while !isReached(goal) {
      let count = epoll_wait(queue, &events, Int32(events.count), idle.isEmpty ? 1000 : Self.pollInterval)
      for event in events.prefix(Int(max(count, 0))) {
        let index = Int(Int64(bitPattern: event.data.u64))
        guard index >= 0 else { throw Interrupt.received }
        try receive(index)
      }
      let now = Clock.now
      if !idle.isEmpty && now >= idleUntil { try resumeIdle() }
      if count > 0 { lastAnswer = now } else if now > lastAnswer + Self.patience { throw stalled }
    }
    return tally
  }

  private func isReached(_ goal: Goal) -> Bool {
    switch goal {
    case .createFor: tally.creating == 0 && census.completed == census.created
    case .complete(let count): tally.complete.count >= count
    }
  }

  private var stalled: Failure {
    Failure(
      "nothing came for 30 s: \(census.created) created, \(census.claimed) claimed, \(census.completed) completed"
    )
  }

  private func resumeIdle() throws {
    let waiting = idle
    idle.removeAll(keepingCapacity: true)
    for index in waiting { try write(.claim, index) }
  }

  private func receive(_ index: Int) throws {
    guard let request = connections[index].request else { throw Failure("an answer without a question") }
    let socket = connections[index].socket
    try socket.receive()
    guard let answer = try socket.next({ try connections[index].client.answer($0, to: request) }) else {
      return
    }
    let now = Clock.now
    let time = now - connections[index].sentAt
    switch answer {
    case .created:
      tally.create.append(time)
      tally.creating -= 1
      try createNext(index, at: now)
    case .claimed(let job):
      tally.claim.append(time)
      try census.claim(job)
      connections[index].job = job
      try send(.complete, index, at: now)
    case .nothing:
      // The claim goes on until there is a job.
      if Client.blocks {
        try write(.claim, index)
      } else {
        if idle.isEmpty { idleUntil = now + UInt64(Self.pollInterval) * Clock.millisecond }
        idle.append(index)
      }
    case .completed:
      tally.complete.append(time)
      tally.end = now
      try census.complete(connections[index].job)
      try send(.claim, index, at: now)
    }
  }

  private func createNext(_ index: Int, at now: UInt64) throws {
    guard now < deadline else {
      connections[index].request = nil
      return
    }
    tally.creating += 1
    try send(.create, index, at: now)
  }

  private func send(_ request: Request, _ index: Int, at now: UInt64) throws {
    connections[index].sentAt = now
    connections[index].request = request
    try write(request, index)
  }

  private func write(_ request: Request, _ index: Int) throws {
    output.removeAll(keepingCapacity: true)
    switch request {
    case .create: connections[index].client.create(census.create(), to: &output)
    case .claim: connections[index].client.claim(to: &output)
    case .complete: connections[index].client.complete(to: &output)
    }
    try connections[index].socket.send(output)
  }
}

/// What one run of a closed loop took.
struct Tally {
  var create: [UInt64] = []
  /// With the wait for a job, where there was none yet.
  var claim: [UInt64] = []
  var complete: [UInt64] = []
  /// The first request and the last completion.
  var start: UInt64 = 0
  var end: UInt64 = 0
  /// Creates under way.
  fileprivate(set) var creating = 0

  var seconds: Double { Double(end - start) / Double(Clock.second) }
}

/// Sees to it that each job is had and completed exactly once.
struct Census {
  private var claims: [Bool]
  private var completions: [Bool]
  private(set) var claimed = 0
  private(set) var completed = 0

  init(created: Int) {
    claims = Array(repeating: false, count: created)
    completions = claims
  }

  var created: Int { claims.count }

  /// The number of a new job.
  mutating func create() -> UInt32 {
    claims.append(false)
    completions.append(false)
    return UInt32(claims.count - 1)
  }

  mutating func claim(_ job: UInt32) throws {
    guard job < claims.count, !claims[Int(job)] else {
      throw Failure("job \(job) was claimed again, or never made")
    }
    claims[Int(job)] = true
    claimed += 1
  }

  mutating func complete(_ job: UInt32) throws {
    guard !completions[Int(job)] else { throw Failure("job \(job) was completed again") }
    completions[Int(job)] = true
    completed += 1
  }
}
