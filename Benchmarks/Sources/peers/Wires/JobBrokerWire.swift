/// Our own protocol, encoded by hand; numbers as in proto/jobbroker.proto.
struct JobBrokerWire: Wire {
  static let blocks = true

  private let jobs: Jobs
  private let claimFrame: [UInt8]
  private let createHead: [UInt8]
  private let createTail: [UInt8]
  private var held: [UInt8] = []
  private var attempt: UInt64 = 0

  init(_ jobs: Jobs) {
    self.jobs = jobs
    var claim: [UInt8] = []
    Protobuf.field(3, 1000, to: &claim)
    claimFrame = JobBrokerWire.frame(14, claim)
    // One request is in flight, so all have the id 1, and creates differ only in the job's id.
    let create = JobBrokerWire.frame(4, JobBrokerWire.createBody(of: 0..<1, jobs))
    let id = create.firstRange(of: jobs.prefix)?.lowerBound ?? create.endIndex
    createHead = Array(create[..<id])
    createTail = Array(create[(id + Jobs.idSize)...])
  }

  /// The body of a create of several jobs.
  static func createBody(of numbers: Range<UInt32>, _ jobs: Jobs) -> [UInt8] {
    var create: [UInt8] = []
    for number in numbers {
      var id: [UInt8] = []
      jobs.appendID(number, to: &id)
      var job: [UInt8] = []
      Protobuf.field(1, id, to: &job)
      Protobuf.field(2, "bench".utf8, to: &job)
      Protobuf.field(3, Jobs.metadata, to: &job)
      Protobuf.field(1, job, to: &create)
    }
    return create
  }

  /// A framed request with the id 1.
  static func frame(_ operation: UInt64, _ body: [UInt8]) -> [UInt8] {
    var request: [UInt8] = []
    Protobuf.field(1, 1, to: &request)
    Protobuf.field(operation, body, to: &request)
    var frame: [UInt8] = []
    frame.appendBigEndian(UInt32(request.count))
    return frame + request
  }

  mutating func open(_ socket: Socket) throws {
    var hello: [UInt8] = []
    Protobuf.field(1, 1, to: &hello)
    Protobuf.field(2, "bench-peers".utf8, to: &hello)
    try socket.exchange(JobBrokerWire.frame(2, hello)) { try JobBrokerWire.reply($0, is: 3) { _ in } }
  }

  mutating func create(_ number: UInt32, to output: inout [UInt8]) {
    output += createHead
    jobs.appendID(number, to: &output)
    output += createTail
  }

  mutating func claim(to output: inout [UInt8]) { output += claimFrame }

  mutating func complete(to output: inout [UInt8]) {
    var body: [UInt8] = []
    Protobuf.field(1, held, to: &body)
    Protobuf.field(2, attempt, to: &body)
    output += JobBrokerWire.frame(8, body)
  }

  mutating func answer(_ bytes: UnsafeRawBufferPointer, to request: Request) throws -> (Answer, length: Int)?
  {
    switch request {
    case .create:
      try JobBrokerWire.reply(bytes, is: 5) { created in
        guard let entry = try Protobuf.bytes(1, of: created), try Protobuf.number(2, of: entry) == 1 else {
          throw Failure("jobbroker: a new job was there already")
        }
        return .created
      }
    case .claim: try JobBrokerWire.reply(bytes, is: 8) { try claimed($0) }
    case .complete:
      try JobBrokerWire.reply(bytes, is: 6) { job in
        guard try Protobuf.number(3, of: job) == 3 else {
          throw Failure("jobbroker: a completed job is not COMPLETE")
        }
        return .completed
      }
    }
  }

  private mutating func claimed(_ reply: UnsafeRawBufferPointer) throws -> Answer {
    guard let job = try Protobuf.bytes(1, of: reply) else { return .nothing }
    guard let id = try Protobuf.bytes(1, of: job), let attempt = try Protobuf.number(16, of: job),
      try Protobuf.bytes(6, of: job)?.count == Jobs.metadata.count
    else { throw Failure("jobbroker: a claimed job without id, attempt or metadata") }
    held.removeAll(keepingCapacity: true)
    held.append(contentsOf: id)
    self.attempt = attempt
    return .claimed(try jobs.number(id))
  }

  /// Reads a framed response of one kind.
  ///
  /// - Throws: `Failure` when it is of another, an error for example.
  static func reply<Value>(
    _ bytes: UnsafeRawBufferPointer, is kind: UInt64, _ body: (UnsafeRawBufferPointer) throws -> Value
  ) throws -> (Value, length: Int)? {
    guard bytes.count >= 4 else { return nil }
    let end = 4 + Int(bytes.bigEndian(at: 0) as UInt32)
    guard bytes.count >= end else { return nil }
    let response = bytes.slice(4..<end)
    if let found = try Protobuf.bytes(kind, of: response) { return (try body(found), end) }
    let message = try Protobuf.bytes(2, of: response).flatMap { try Protobuf.bytes(2, of: $0) }
    throw Failure(
      "jobbroker: \(message.map { String(decoding: $0, as: UTF8.self) } ?? "an unexpected reply")")
  }
}
