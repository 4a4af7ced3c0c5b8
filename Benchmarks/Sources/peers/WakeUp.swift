import Glibc

/// How soon a worker that is blocked in a claim has a job that is created.
struct WakeUp {
  /// From the create's reply to the claim's, in nanoseconds: 0 or less when the claim's came first, or with it.
  private(set) var afterReply: [Int64] = []
  /// From the create's request to the claim's reply, in nanoseconds.
  private(set) var afterRequest: [UInt64] = []

  /// Creates jobs one by one, each when the worker's claim has been at the server for 2 ms.
  init<P: SocketPeer>(_ peer: P, jobs count: Int, in workspace: Workspace) throws {
    self = try peer.withServer(in: workspace) { _, path in try WakeUp(peer, jobs: count, path: path) }
  }

  private init<P: SocketPeer>(_ peer: P, jobs count: Int, path: String) throws {
    let jobs = Jobs()
    var (producer, worker) = (peer.client(0, jobs), peer.client(1, jobs))
    let (create, claim) = (try Socket(path), try Socket(path))
    try producer.open(create)
    try worker.open(claim)
    for number in 0..<UInt32(count) {
      try claim.send(bytes { worker.claim(to: &$0) })
      try Interrupt.wait(milliseconds: 2)
      let request = bytes { producer.create(number, to: &$0) }
      let requested = Clock.now
      try create.send(request)
      var (replied, arrived): (UInt64?, UInt64?)
      while replied == nil || arrived == nil {
        let now = try wait(create, claim)
        if replied == nil, try create.next({ try producer.answer($0, to: .create) }) != nil { replied = now }
        guard arrived == nil, let answer = try claim.next({ try worker.answer($0, to: .claim) }) else {
          continue
        }
        guard case .claimed(number) = answer else { throw Failure("\(peer.name): another job came, or none") }
        arrived = now
      }
      guard let replied, let arrived else { continue }
      // The first ones warm up.
      if number >= count / 10 {
        afterReply.append(Int64(arrived) - Int64(replied))
        afterRequest.append(arrived - requested)
      }
      _ = try claim.exchange(bytes { worker.complete(to: &$0) }) { try worker.answer($0, to: .complete) }
    }
  }

  private func bytes(_ body: (inout [UInt8]) -> Void) -> [UInt8] {
    var bytes: [UInt8] = []
    body(&bytes)
    return bytes
  }

  /// Takes in what comes on either.
  ///
  /// - Returns: when it came; what came together came at the same time.
  private func wait(_ first: Socket, _ second: Socket) throws -> UInt64 {
    var descriptors = [first.descriptor, second.descriptor, Interrupt.descriptor].map {
      pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
    }
    guard poll(&descriptors, 3, 10_000) > 0 else { throw Failure("no reply within 10 s") }
    let now = Clock.now
    if descriptors[2].revents != 0 { throw Interrupt.received }
    if descriptors[0].revents != 0 { try first.receive() }
    if descriptors[1].revents != 0 { try second.receive() }
    return now
  }

  /// Percent of the jobs that the worker had before the producer had its reply, or with it.
  var claimedFirst: Double { 100 * Double(afterReply.count { $0 <= 0 }) / Double(max(afterReply.count, 1)) }

  /// In nanoseconds.
  func afterReply(percentile: Int) -> Double {
    let sorted = afterReply.sorted()
    return sorted.isEmpty ? 0 : Double(sorted[min(sorted.count * percentile / 100, sorted.count - 1)])
  }
}
