import JobBrokerClient
import NIOCore
import Testing

@Suite(.timeLimit(.minutes(10))) struct HostileReplyTests {
  static let garbage: [(String, [UInt8])] = [
    ("a length of zero", [0, 0, 0, 0]),
    ("a length of 4 GiB", [255, 255, 255, 255]),
    ("another protocol", Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8)),
    ("a body that is no message", [0, 0, 0, 4, 255, 255, 255, 255]),
    ("a message without id or reply", [0, 0, 0, 2, 0xF8, 0x01]),
  ]

  @Test(arguments: garbage.indices)
  func garbageEndsTheConnectionAndTheCalls(_ index: Int) async throws {
    let (_, bytes) = Self.garbage[index]
    let (broker, connection, client) = try await connected()
    async let read = failure { () throws(JobError) in try await client.stats() }
    async let change = failure { () throws(JobError) in try await client.delete(.timeOrdered()) }
    _ = (try await connection.next(), try await connection.next())
    connection.send(ByteBuffer(bytes: bytes))
    #expect(await read?.code == .internal)
    #expect(await change?.code == .unknownOutcome)
    #expect(await connection.isClosedByClient())
    // The client lives on.
    let next = try await broker.welcome()
    async let ping: Void = client.ping()
    next.reply(to: try await next.next().id, .pong)
    try await ping
  }

  @Test func aReplyCutShortIsALostConnection() async throws {
    let (_, connection, client) = try await connected(reconnects: false)
    async let read = failure { () throws(JobError) in try await client.stats() }
    var frame = ScriptedBroker.Connection.frame(try await connection.next().id, .stats(BrokerStats()))
    let start = frame.readSlice(length: 5)
    connection.send(try #require(start))
    try await connection.close()
    #expect(await read?.code == .unavailable)
  }

  @Test func aReplyToNoRequestEndsTheConnection() async throws {
    let (_, connection, client) = try await connected()
    async let read = failure { () throws(JobError) in try await client.stats() }
    connection.reply(to: try await connection.next().id + 1000, .pong)
    #expect(await read?.code == .internal)
    #expect(await connection.isClosedByClient())
  }

  @Test func aReplyOfAnotherKindIsAnErrorOfThatCallAlone() async throws {
    let (_, connection, client) = try await connected()
    async let other = client.position(.timeOrdered())
    let otherID = try await connection.next().id
    async let call = failure { () throws(JobError) in try await client.stats() }
    connection.reply(to: try await connection.next().id, .pong)
    #expect(await call?.code == .internal)
    connection.reply(to: otherID, .position(.none))
    #expect(try await other == .none)
  }

  @Test func tooFewCreatedJobsAreAnError() async throws {
    let (_, connection, client) = try await connected()
    async let call = failure { () throws(JobError) in try await client.create(NewJob(type: "ingest")) }
    connection.reply(to: try await connection.next().id, .created([]))
    #expect(await call?.code == .internal)
  }

  @Test func anUnknownStatusIsAnErrorOfThatCallAlone() async throws {
    let (_, connection, client) = try await connected()
    async let call = failure { () throws(JobError) in try await client.get(.timeOrdered()) }
    let id = UInt8(try await connection.next().id)
    // Response { id, job { id: 16 bytes, type: "t", status: 99 } }
    let job: [UInt8] = [0x0A, 16] + [UInt8](repeating: 1, count: 16) + [0x12, 1, 0x74, 0x18, 99]
    let body: [UInt8] = [0x08, id, 0x32, UInt8(job.count)] + job
    connection.send(ByteBuffer(bytes: [0, 0, 0, UInt8(body.count)] + body))
    let error = await call
    #expect(error?.code == .unsupported || error?.code == .internal)
    async let ping: Void = client.ping()
    connection.reply(to: try await connection.next().id, .pong)
    try await ping
  }

  @Test func aRevocationWithAnUnknownStatusIsHeard() async throws {
    let (_, connection, client) = try await connected()
    let claim = ClaimToken(id: .timeOrdered(), attempt: 3)
    // Response { id: 0, revoked { id, attempt: 3, status: 99 } }
    let revoked: [UInt8] = [0x0A, 16] + claim.id.withBytes { Array($0) } + [0x10, 3, 0x18, 99]
    let body: [UInt8] = [0x08, 0, 0x6A, UInt8(revoked.count)] + revoked
    async let ping: Void = client.ping()
    let id = try await connection.next().id
    connection.send(ByteBuffer(bytes: [0, 0, 0, UInt8(body.count)] + body))
    connection.reply(to: id, .pong)
    try await ping
    for await notice in client.revocations(of: claim) {
      #expect(notice == Revocation(claim: claim, status: nil, reason: ""))
    }
  }
}
