import Glibc

/// One process of the original design: a producer or a worker with the file open, driven over its pipes.
///
/// It writes one byte when it is ready, begins at the first byte it gets, and writes what it measured at its end. A
/// producer ends after its time; a worker when its input is closed and there is no job left.
struct OriginalClient {
  static let argument = "--original-client"

  /// What it measured; numbers of jobs are those that a worker claimed and completed.
  struct Result {
    var cpuMicroseconds: UInt64 = 0
    var tally = Tally()
    var numbers: [UInt64] = []
  }

  private let store: OriginalStore
  private let ids: String
  private var result = Result()

  /// - Parameter arguments: the file, what all ids begin with, then a producer's first number, the step to its next and
  ///   for how many nanoseconds it produces.
  static func run(_ arguments: [String]) throws {
    var client = OriginalClient(store: try OriginalStore(arguments[0]), ids: arguments[1])
    var byte: UInt8 = 0
    guard write(STDOUT_FILENO, &byte, 1) == 1, read(STDIN_FILENO, &byte, 1) == 1 else { return }
    let before = ProcessTimes.own
    client.result.tally.start = Clock.now
    let numbers = arguments.dropFirst(2).compactMap { UInt64($0) }
    if numbers.count == 3 {
      try client.produce(from: numbers[0], by: numbers[1], for: numbers[2])
    } else {
      try client.work()
    }
    client.result.cpuMicroseconds = ProcessTimes.own - before
    try client.result.send()
  }

  private init(store: OriginalStore, ids: String) {
    self.store = store
    self.ids = ids
  }

  private mutating func produce(from first: UInt64, by step: UInt64, for time: UInt64) throws {
    let metadata = String(decoding: Jobs.metadata, as: UTF8.self)
    let deadline = result.tally.start + time
    var before = result.tally.start
    var number = first
    while before < deadline {
      try store.create("\(ids)\(String(number, radix: 16))", metadata: metadata)
      let now = Clock.now
      result.tally.create.append(now - before)
      before = now
      number += step
    }
  }

  private mutating func work() throws {
    var before = result.tally.start
    var isLast = false
    while true {
      guard let id = try store.claim() else {
        if isLast { return }
        isLast = try waitForJob()
        continue
      }
      let claimed = Clock.now
      result.tally.claim.append(claimed - before)
      try store.complete(id)
      before = Clock.now
      result.tally.complete.append(before - claimed)
      result.tally.end = before
      guard id.hasPrefix(ids), let number = UInt64(id.dropFirst(ids.count), radix: 16) else {
        throw Failure("original: a job that nobody made")
      }
      result.numbers.append(number)
    }
  }

  /// Looks every millisecond, where the original did every three seconds.
  ///
  /// - Returns: whether no more jobs will come.
  private func waitForJob() throws -> Bool {
    while try !store.hasPending() {
      var input = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
      if poll(&input, 1, 1) > 0 { return true }
    }
    return false
  }
}

extension OriginalClient.Result {
  /// Writes it to the standard output, as numbers: counts first, then the lists.
  fileprivate func send() throws {
    let lists = [tally.create, tally.claim, tally.complete, numbers]
    let words =
      [cpuMicroseconds, tally.start, tally.end] + lists.map { UInt64($0.count) } + lists.flatMap { $0 }
    try words.withUnsafeBytes { bytes in
      var sent = 0
      while sent < bytes.count {
        let count = write(STDOUT_FILENO, bytes.baseAddress.map { $0 + sent }, bytes.count - sent)
        guard count > 0 else { throw Failure.system("write") }
        sent += count
      }
    }
  }

  init(_ bytes: [UInt8]) throws {
    let words = bytes.withUnsafeBytes { bytes in
      stride(from: 0, to: bytes.count / 8 * 8, by: 8).map {
        bytes.loadUnaligned(fromByteOffset: $0, as: UInt64.self)
      }
    }
    guard words.count >= 7, words.count == 7 + Int(words[3...6].reduce(0, +)) else {
      throw Failure("original: a process failed")
    }
    var rest = words[7...]
    let lists = words[3...6].map { count in
      let list = Array(rest.prefix(Int(count)))
      rest = rest.dropFirst(Int(count))
      return list
    }
    cpuMicroseconds = words[0]
    tally.start = words[1]
    tally.end = words[2]
    (tally.create, tally.claim, tally.complete, numbers) = (lists[0], lists[1], lists[2], lists[3])
  }
}
