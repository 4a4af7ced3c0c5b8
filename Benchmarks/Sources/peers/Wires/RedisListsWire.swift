/// Redis lists, the reliable queue: LPUSH, BLMOVE to a list of the worker's own, LREM from it.
struct RedisListsWire: Wire {
  static let blocks = true

  private let jobs: Jobs
  private let pushHead: [UInt8]
  private let move: [UInt8]
  private let removeHead: [UInt8]
  private var held: [UInt8] = []

  /// - Parameter number: which client it is.
  init(_ jobs: Jobs, number: Int) {
    self.jobs = jobs
    let size = "$\(Jobs.recordSize)\r\n"
    pushHead = Array("*3\r\n$5\r\nLPUSH\r\n$4\r\njobs\r\n\(size)".utf8)
    let list = "held:\(number)"
    move = RESP.command(["BLMOVE", "jobs", list, "RIGHT", "LEFT", "1"])
    removeHead = Array("*4\r\n$4\r\nLREM\r\n$\(list.utf8.count)\r\n\(list)\r\n$1\r\n1\r\n\(size)".utf8)
  }

  mutating func open(_ socket: Socket) throws {
    try socket.exchange(RESP.command(["PING"]), RESP.success)
  }

  mutating func create(_ number: UInt32, to output: inout [UInt8]) {
    output += pushHead
    jobs.appendRecord(number, to: &output)
    output += [13, 10]
  }

  mutating func claim(to output: inout [UInt8]) { output += move }

  mutating func complete(to output: inout [UInt8]) {
    output += removeHead
    output += held
    output += [13, 10]
  }

  mutating func answer(_ bytes: UnsafeRawBufferPointer, to request: Request) throws -> (Answer, length: Int)?
  {
    guard let (reply, end) = try RESP.read(bytes, at: 0) else { return nil }
    switch (request, reply) {
    case (.create, .integer): return (.created, end)
    case (.claim, .null): return (.nothing, end)
    case (.claim, .bulk(let range)):
      let record = bytes.slice(range)
      held.removeAll(keepingCapacity: true)
      held.append(contentsOf: record)
      return (.claimed(try jobs.number(ofRecord: record)), end)
    case (.complete, .integer(1)): return (.completed, end)
    default: throw Failure("redis lists: \(request) was answered by \(reply)")
    }
  }
}
