import Glibc

/// The original design, without a server: as many processes as clients, which share the SQLite file.
///
/// Their CPU counts as the server's, for they do its work.
struct OriginalPeer: Peer {
  let name = "original"
  let missing: String? = nil

  func measure(_ load: Load, in workspace: Workspace) throws -> Sample {
    let file = "\(try workspace.folder("original"))/jobs.db"
    _ = try OriginalStore(file)
    if load.warmUp > 0 { _ = try run(load, for: load.warmUp, file: file) }
    let (tally, cpu) = try run(load, for: load.duration, file: file)
    return Sample(tally, serverCPU: cpu, generatorCPU: 0)
  }

  private func run(_ load: Load, for time: UInt64, file: String) throws -> (Tally, cpuMicroseconds: UInt64) {
    let ids = OriginalPeer.newIDs()
    let producers = load.clients / 2
    var processes: [OriginalProcess] = []
    defer { for process in processes { process.stop() } }
    for index in 0..<load.clients {
      let numbers = index < producers ? ["\(index)", "\(producers)", "\(time)"] : []
      processes.append(try OriginalProcess([file, ids] + numbers))
    }
    for process in processes { try process.waitUntilReady() }
    let start = Clock.now
    for process in processes { process.begin() }
    // Workers end when their input is closed: once there is nothing more to come.
    let produced = try processes.prefix(producers).map { try OriginalClient.Result($0.readToEnd()) }
    for process in processes.dropFirst(producers) { process.closeInput() }
    let worked = try processes.dropFirst(producers).map { try OriginalClient.Result($0.readToEnd()) }

    var tally = Tally()
    tally.start = start
    for result in produced { tally.create += result.tally.create }
    for result in worked {
      tally.claim += result.tally.claim
      tally.complete += result.tally.complete
      tally.end = max(tally.end, result.tally.end)
    }
    try check(worked.flatMap(\.numbers), createdBy: produced.map(\.tally.create.count))
    return (tally, (produced + worked).reduce(0) { $0 + $1.cpuMicroseconds })
  }

  /// Sees to it that each job was had and completed exactly once.
  ///
  /// - Parameter counts: how many jobs each producer made; their numbers take turns.
  private func check(_ numbers: [UInt64], createdBy counts: [Int]) throws {
    let isMade = numbers.allSatisfy { Int($0) / counts.count < counts[Int($0) % counts.count] }
    guard isMade, Set(numbers).count == numbers.count, numbers.count == counts.reduce(0, +) else {
      throw Failure(
        "original: \(numbers.count) of \(counts.reduce(0, +)) jobs were done, or some were done twice")
    }
  }

  /// What the ids of a run begin with, so that with a number they are as long as a UUID's text.
  private static func newIDs() -> String {
    let digits = Jobs().prefix.map { String(Int($0) | 0x100, radix: 16).dropFirst() }.joined()
    return "\(digits)-"
  }
}

/// A process of the original design, seen from its parent.
final class OriginalProcess {
  private let pid: pid_t
  private var input: Int32
  private let output: Int32

  init(_ arguments: [String]) throws {
    let (toChild, fromChild) = (try OriginalProcess.pipe(), try OriginalProcess.pipe())
    (input, output) = (toChild[1], fromChild[0])
    pid = try Spawn.start(
      ["/proc/self/exe", OriginalClient.argument] + arguments, input: .descriptor(toChild[0]),
      output: .descriptor(fromChild[1]), error: .descriptor(STDERR_FILENO))
    close(toChild[0])
    close(fromChild[1])
  }

  /// The end to read from and the end to write to, neither of which other processes inherit.
  private static func pipe() throws -> [Int32] {
    var ends: [Int32] = [0, 0]
    guard Glibc.pipe(&ends) == 0 else { throw Failure.system("pipe") }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    return ends
  }

  func waitUntilReady() throws {
    guard try read(1).count == 1 else { throw Failure("original: a process did not start") }
  }

  func begin() {
    var byte: UInt8 = 0
    write(input, &byte, 1)
  }

  func closeInput() {
    if input >= 0 { close(input) }
    input = -1
  }

  func readToEnd() throws -> [UInt8] {
    var bytes: [UInt8] = []
    while true {
      let more = try read(65536)
      if more.isEmpty { return bytes }
      bytes += more
    }
  }

  private func read(_ size: Int) throws -> [UInt8] {
    var descriptors = [
      pollfd(fd: output, events: Int16(POLLIN), revents: 0),
      pollfd(fd: Interrupt.descriptor, events: Int16(POLLIN), revents: 0),
    ]
    poll(&descriptors, 2, -1)
    if descriptors[1].revents != 0 { throw Interrupt.received }
    var bytes = [UInt8](repeating: 0, count: size)
    let count = Glibc.read(output, &bytes, size)
    guard count >= 0 else { throw Failure.system("read") }
    return Array(bytes.prefix(count))
  }

  /// Ends it, if it has not ended, and takes note of it.
  func stop() {
    closeInput()
    close(output)
    kill(pid, SIGKILL)
    waitpid(pid, nil, 0)
  }
}
