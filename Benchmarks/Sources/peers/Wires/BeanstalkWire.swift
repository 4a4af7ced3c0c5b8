/// beanstalkd's protocol of text lines: put, reserve-with-timeout, delete.
struct BeanstalkWire: Wire {
  static let blocks = true

  private let jobs: Jobs
  private let putHead = Array("put 0 0 60 \(Jobs.recordSize)\r\n".utf8)
  private let reserve = Array("reserve-with-timeout 1\r\n".utf8)
  private var held: [UInt8] = []

  init(_ jobs: Jobs) { self.jobs = jobs }

  /// Nothing to say: every client begins with the same tube.
  mutating func open(_ socket: Socket) throws {}

  mutating func create(_ number: UInt32, to output: inout [UInt8]) {
    output += putHead
    jobs.appendRecord(number, to: &output)
    output += [13, 10]
  }

  mutating func claim(to output: inout [UInt8]) { output += reserve }

  mutating func complete(to output: inout [UInt8]) {
    output += "delete ".utf8
    output += held
    output += [13, 10]
  }

  mutating func answer(_ bytes: UnsafeRawBufferPointer, to request: Request) throws -> (Answer, length: Int)?
  {
    guard let (text, end) = RESP.line(bytes, at: 0) else { return nil }
    let line = bytes.slice(0..<text)
    switch request {
    case .create where line.starts(with: "INSERTED ".utf8): return (.created, end)
    case .complete where line.elementsEqual("DELETED".utf8): return (.completed, end)
    case .claim where line.elementsEqual("TIMED_OUT".utf8): return (.nothing, end)
    case .claim where line.starts(with: "RESERVED ".utf8):
      // RESERVED <id> <bytes>, then the job and the end of its line.
      let id = line.dropFirst(9).prefix { $0 != UInt8(ascii: " ") }
      let size = RESP.number(line.slice(id.endIndex + 1..<line.count))
      guard bytes.count >= end + size + 2 else { return nil }
      held.removeAll(keepingCapacity: true)
      held.append(contentsOf: id)
      return (.claimed(try jobs.number(ofRecord: bytes.slice(end..<end + size))), end + size + 2)
    default: throw Failure("beanstalkd: \(String(decoding: line, as: UTF8.self))")
    }
  }
}
