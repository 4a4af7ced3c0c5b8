/// PostgreSQL's protocol, version 3: prepared statements, parameters and results in binary.
struct PostgreSQLWire: Wire {
  /// A notification would wake a worker, but NOTIFY makes commits wait for each other; looking again costs less.
  static let blocks = false

  static let table = """
    DROP TABLE IF EXISTS jobs;
    CREATE TABLE jobs (
      seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id uuid NOT NULL, type text NOT NULL,
      status smallint NOT NULL DEFAULT 0, attempt int NOT NULL DEFAULT 0, metadata text NOT NULL,
      created_at timestamptz NOT NULL DEFAULT now(), claimed_at timestamptz, finished_at timestamptz);
    CREATE INDEX jobs_pending ON jobs (seq) WHERE status = 0
    """

  private static let statements = [
    ("create", "INSERT INTO jobs (id, type, metadata) VALUES ($1, 'bench', $2)"),
    (
      "claim",
      """
      UPDATE jobs SET status = 1, attempt = attempt + 1, claimed_at = now()
      WHERE seq = (SELECT seq FROM jobs WHERE status = 0 ORDER BY seq LIMIT 1 FOR UPDATE SKIP LOCKED)
      RETURNING id, seq, attempt, metadata
      """
    ),
    (
      "complete",
      "UPDATE jobs SET status = 2, finished_at = now() WHERE seq = $1 AND attempt = $2 AND status = 1"
    ),
  ]

  private let jobs: Jobs
  private let claimMessage: [UInt8]
  private var sequence: Int64 = 0
  private var attempt: Int32 = 0

  init(_ jobs: Jobs) {
    self.jobs = jobs
    claimMessage = PostgreSQLWire.execute("claim", [])
  }

  mutating func open(_ socket: Socket) throws {
    try PostgreSQLWire.start(socket)
    for (name, sql) in PostgreSQLWire.statements {
      let body = Array("\(name)\0\(sql)\0".utf8) + [0, 0]
      try PostgreSQLWire.exchange(socket, PostgreSQLWire.message("P", body) + PostgreSQLWire.message("S", []))
    }
  }

  /// Says hello as the user postgres, who needs no password here.
  static func start(_ socket: Socket) throws {
    let body = Array("user\0postgres\0database\0postgres\0\0".utf8)
    var hello: [UInt8] = []
    hello.appendBigEndian(Int32(body.count + 8))
    hello.appendBigEndian(Int32(196608))
    try exchange(socket, hello + body)
  }

  /// Runs SQL that takes and gives nothing.
  static func run(_ sql: String, on socket: Socket) throws {
    try exchange(socket, message("Q", Array("\(sql)\0".utf8)))
  }

  mutating func create(_ number: UInt32, to output: inout [UInt8]) {
    var id: [UInt8] = []
    jobs.appendID(number, to: &id)
    output += PostgreSQLWire.execute("create", [id, Jobs.metadata])
  }

  mutating func claim(to output: inout [UInt8]) { output += claimMessage }

  mutating func complete(to output: inout [UInt8]) {
    var (first, second): ([UInt8], [UInt8]) = ([], [])
    first.appendBigEndian(sequence)
    second.appendBigEndian(attempt)
    output += PostgreSQLWire.execute("complete", [first, second])
  }

  mutating func answer(_ bytes: UnsafeRawBufferPointer, to request: Request) throws -> (Answer, length: Int)?
  {
    var claimed: UInt32?
    var changed = false
    let length = try PostgreSQLWire.readUntilReady(bytes) { kind, body in
      if kind == UInt8(ascii: "D") { claimed = try row(body) }
      if kind == UInt8(ascii: "C") { changed = !body.starts(with: "UPDATE 0".utf8) }
    }
    guard let length else { return nil }
    switch request {
    case .create: return (.created, length)
    case .claim: return (claimed.map { .claimed($0) } ?? .nothing, length)
    case .complete:
      guard changed else { throw Failure("postgresql: a job was not there to be completed") }
      return (.completed, length)
    }
  }

  /// A row of the claim: id, seq, attempt and metadata, each behind its size.
  private mutating func row(_ body: UnsafeRawBufferPointer) throws -> UInt32 {
    guard body.count == 2 + 4 * 4 + Jobs.idSize + 8 + 4 + Jobs.metadata.count else {
      throw Failure("postgresql: a row of \(body.count) bytes")
    }
    sequence = body.bigEndian(at: 26)
    attempt = body.bigEndian(at: 38)
    return try jobs.number(body.slice(6..<22))
  }

  /// Bind, execute and sync, in one.
  private static func execute(_ statement: String, _ parameters: [[UInt8]]) -> [UInt8] {
    var body = Array("\0\(statement)\0".utf8)
    body.appendBigEndian(Int16(1))
    body.appendBigEndian(Int16(1))
    body.appendBigEndian(Int16(parameters.count))
    for parameter in parameters {
      body.appendBigEndian(Int32(parameter.count))
      body += parameter
    }
    body.appendBigEndian(Int16(1))
    body.appendBigEndian(Int16(1))
    return message("B", body) + message("E", [0, 0, 0, 0, 0]) + message("S", [])
  }

  private static func message(_ kind: Character, _ body: [UInt8]) -> [UInt8] {
    var message = [kind.asciiValue ?? 0]
    message.appendBigEndian(Int32(body.count + 4))
    return message + body
  }

  private static func exchange(_ socket: Socket, _ request: [UInt8]) throws {
    try socket.exchange(request) { bytes in try readUntilReady(bytes) { _, _ in }.map { ((), $0) } }
  }

  /// Passes on the messages up to the one that says that the server is ready for the next request.
  ///
  /// - Returns: how many bytes they take; nil when that is not all there, and nothing was passed on.
  private static func readUntilReady(
    _ bytes: UnsafeRawBufferPointer, _ body: (UInt8, UnsafeRawBufferPointer) throws -> Void
  ) throws -> Int? {
    var end = 0
    repeat {
      guard let next = messageEnd(bytes, at: end) else { return nil }
      // An error of the start-up is not followed by anything.
      if bytes[end] == UInt8(ascii: "E") { throw failure(bytes.slice(end + 5..<next)) }
      if bytes[end] == UInt8(ascii: "Z") { break }
      end = next
    } while true
    var start = 0
    while start < end, let next = messageEnd(bytes, at: start) {
      try body(bytes[start], bytes.slice(start + 5..<next))
      start = next
    }
    return end + 6
  }

  private static func messageEnd(_ bytes: UnsafeRawBufferPointer, at start: Int) -> Int? {
    guard start + 5 <= bytes.count else { return nil }
    let end = start + 1 + Int(bytes.bigEndian(at: start + 1) as Int32)
    return end <= bytes.count ? end : nil
  }

  private static func failure(_ body: UnsafeRawBufferPointer) -> Failure {
    let fields = body.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    return Failure("postgresql: \(fields.first { $0.hasPrefix("M") }?.dropFirst() ?? "an error")")
  }
}
