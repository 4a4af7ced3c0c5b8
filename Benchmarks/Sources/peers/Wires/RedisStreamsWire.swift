/// Redis streams: XADD, XREADGROUP for one job, then XACK and XDEL in one write.
struct RedisStreamsWire: Wire {
  static let blocks = true

  private let jobs: Jobs
  private let addHead: [UInt8]
  private let read: [UInt8]
  private var held: [UInt8] = []

  /// - Parameter number: which client it is.
  init(_ jobs: Jobs, number: Int) {
    self.jobs = jobs
    addHead = Array("*5\r\n$4\r\nXADD\r\n$4\r\njobs\r\n$1\r\n*\r\n$3\r\njob\r\n$\(Jobs.recordSize)\r\n".utf8)
    read = RESP.command([
      "XREADGROUP", "GROUP", "workers", "w\(number)", "COUNT", "1", "BLOCK", "1000", "STREAMS", "jobs", ">",
    ])
  }

  mutating func open(_ socket: Socket) throws {
    try socket.exchange(RESP.command(["PING"]), RESP.success)
  }

  mutating func create(_ number: UInt32, to output: inout [UInt8]) {
    output += addHead
    jobs.appendRecord(number, to: &output)
    output += [13, 10]
  }

  mutating func claim(to output: inout [UInt8]) { output += read }

  mutating func complete(to output: inout [UInt8]) {
    output += "*4\r\n$4\r\nXACK\r\n$4\r\njobs\r\n$7\r\nworkers\r\n$\(held.count)\r\n".utf8
    output += held
    output += "\r\n*3\r\n$4\r\nXDEL\r\n$4\r\njobs\r\n$\(held.count)\r\n".utf8
    output += held
    output += [13, 10]
  }

  mutating func answer(_ bytes: UnsafeRawBufferPointer, to request: Request) throws -> (Answer, length: Int)?
  {
    switch request {
    case .create: return try RESP.skip(bytes, at: 0).map { (.created, $0.end) }
    case .claim: return try claimed(bytes)
    case .complete:
      guard let (acknowledged, next) = try RESP.read(bytes, at: 0),
        let (deleted, end) = try RESP.read(bytes, at: next)
      else { return nil }
      guard case .integer(1) = acknowledged, case .integer(1) = deleted else {
        throw Failure("redis streams: a job was not there to be completed")
      }
      return (.completed, end)
    }
  }

  /// One stream's name, then its entry: the entry's id, the name of its field and the field.
  private mutating func claimed(_ bytes: UnsafeRawBufferPointer) throws -> (Answer, length: Int)? {
    var strings = 0
    var (id, record) = (0..<0, 0..<0)
    let reply = try RESP.skip(bytes, at: 0) { range in
      strings += 1
      if strings == 2 { id = range }
      if strings == 4 { record = range }
    }
    guard let reply else { return nil }
    if reply.isNull { return (.nothing, reply.end) }
    held.removeAll(keepingCapacity: true)
    held.append(contentsOf: bytes.slice(id))
    return (.claimed(try jobs.number(ofRecord: bytes.slice(record))), reply.end)
  }
}
