import JobModel
import NIOCore
import Testing

@testable import JobBrokerClient

@Suite(.timeLimit(.minutes(10))) struct RequestTests {
  @Test func everyCallerGetsItsOwnReplyWhateverTheOrder() async throws {
    let (_, connection, client) = try await connected()
    let jobs = (0..<20).map { _ in someJob() }
    try await withThrowingTaskGroup(of: Bool.self) { group in
      for job in jobs { group.addTask { try await client.get(job.id) == job } }
      var asked: [(UInt64, JobID)] = []
      for _ in jobs {
        let (id, operation) = try await connection.next()
        if case .get(let job) = operation { asked.append((id, job)) }
      }
      for (id, job) in asked.shuffled() {
        connection.reply(to: id, .job(try #require(jobs.first { $0.id == job })))
      }
      for try await isOwn in group { #expect(isOwn) }
    }
  }

  @Test func aRefusalIsThrownAsItCame() async throws {
    let (_, connection, client) = try await connected()
    let job = someJob()
    async let refusal = failure { () throws(JobError) in try await client.complete(job.id, attempt: 1) }
    let error = JobError(.staleClaim, "too late", job: job)
    connection.reply(to: try await connection.next().id, .error(error))
    #expect(await refusal == error)
  }

  @Test func aJobThatIsNotThereIsNil() async throws {
    let (_, connection, client) = try await connected()
    let id = JobID.timeOrdered()
    async let job = client.get(id)
    connection.reply(to: try await connection.next().id, .error(.notFound(id)))
    #expect(try await job == nil)
  }

  @Test func requestsBeyondTheBrokersLimitWaitTheirTurn() async throws {
    let (_, connection, client) = try await connected(maxInFlight: 4)
    // On the client's loop, so that whatever it sends of the three goes out in one write.
    let calls = (0..<3).map { _ in Task(executorPreference: client.taskExecutor) { try await client.ping() } }
    let first = try await connection.next().id
    let second = try await connection.next().id
    #expect(try await connection.backlog() == 0)
    connection.reply(to: second, .pong)
    let third = try await connection.next().id
    connection.reply(to: first, .pong)
    connection.reply(to: third, .pong)
    for call in calls { try await call.value }
  }

  @Test func aClaimThatStoodInLineWaitsOnlyForTheRestOfItsTime() async throws {
    let (_, connection, client) = try await connected(maxInFlight: 1)
    // On the client's loop, so that the claim is in line before the ping is written.
    let calls = Task(executorPreference: client.taskExecutor) {
      async let ping: Void = client.ping()
      async let claimed = client.claim(ClaimRequest(wait: .seconds(60)))
      try await ping
      return try await claimed
    }
    let ping = try await connection.next()
    #expect(ping.operation == .ping)
    connection.reply(to: ping.id, .pong)
    let (id, operation) = try await connection.next()
    guard case .claim(let claim) = operation else {
      Issue.record("\(operation)")
      return
    }
    #expect(claim.wait < .seconds(60) && claim.wait > .zero)
    connection.reply(to: id, .claimed([]))
    #expect(try await calls.value == [])
  }

  @Test func claimsThatWaitLeavePlacesToOthers() async throws {
    let (_, connection, client) = try await connected(maxInFlight: 8)
    let claims = (0..<3).map { _ in
      Task(executorPreference: client.taskExecutor) {
        try await client.claim(ClaimRequest(wait: .seconds(60)))
      }
    }
    let first = try await connection.next()
    let second = try await connection.next()
    #expect(first.operation.isClaim && second.operation.isClaim)
    let ping = Task(executorPreference: client.taskExecutor) { try await client.ping() }
    let third = try await connection.next()
    #expect(third.operation == .ping, "the third claim has no place to wait")
    connection.reply(to: third.id, .pong)
    try await ping.value
    #expect(try await connection.backlog() == 0)
    connection.reply(to: first.id, .claimed([]))
    let last = try await connection.next()
    #expect(last.operation.isClaim)
    for request in [second, last] { connection.reply(to: request.id, .claimed([])) }
    for claim in claims { #expect(try await claim.value == []) }
  }

  @Test func whatIsLeftInLineIsSentOnTheNextConnection() async throws {
    let (broker, connection, client) = try await connected(maxInFlight: 8)
    let claims = (0..<3).map { _ in
      Task(executorPreference: client.taskExecutor) {
        try await client.claim(ClaimRequest(wait: .seconds(60)))
      }
    }
    for _ in 0..<2 { _ = try await connection.next() }
    #expect(try await connection.backlog() == 0)
    try await connection.close()
    let next = try await broker.welcome(maxInFlight: 12)
    for _ in claims { next.reply(to: try await next.next().id, .claimed([])) }
    for claim in claims { #expect(try await claim.value == []) }
  }

  @Test func repliesMayArriveByteByByte() async throws {
    let (_, connection, client) = try await connected()
    let job = someJob()
    async let received = client.get(job.id)
    var frame = ScriptedBroker.Connection.frame(try await connection.next().id, .job(job))
    while let byte = frame.readSlice(length: 1) { connection.send(byte) }
    #expect(try await received == job)
  }

  @Test func aRequestNobodyAnswersEndsInTime() async throws {
    // The hello has the same limit, which must leave the scripted broker its time on a busy machine.
    let (_, connection, client) = try await connected(requestTimeout: .seconds(5))
    async let read = failure { () throws(JobError) in try await client.stats() }
    let first = try await connection.next().id
    let change = await failure { () throws(JobError) in try await client.complete(.timeOrdered()) }
    #expect(await read?.code == .unavailable)
    #expect(change?.code == .unknownOutcome)
    #expect(await client.wakes == .distantFuture)
    // Late replies find nobody, and harm nobody.
    connection.reply(to: first, .stats(BrokerStats()))
    connection.reply(to: try await connection.next().id, .job(someJob()))
    async let ping: Void = client.ping()
    connection.reply(to: try await connection.next().id, .pong)
    try await ping
  }

  @Test func nothingWakesAClientBeforeARequestHasWaitedTooLong() async throws {
    let (_, connection, client) = try await connected(requestTimeout: .seconds(600))
    #expect(await client.wakes == .distantFuture)
    let before = NIODeadline.now()
    async let claimed = client.claim(ClaimRequest(wait: .seconds(60)))
    let claim = try await connection.next().id
    #expect(await client.wakes >= before + .seconds(660))
    async let ping: Void = client.ping()
    let id = try await connection.next().id
    #expect(await client.wakes <= .now() + .seconds(600))
    connection.reply(to: id, .pong)
    connection.reply(to: claim, .claimed([]))
    try await ping
    #expect(try await claimed == [])
  }

  @Test func closingEndsTheCallsThatWait() async throws {
    let (_, connection, client) = try await connected()
    async let claim = failure { () throws(JobError) in
      try await client.claim(ClaimRequest(wait: .seconds(60)))
    }
    async let change = failure { () throws(JobError) in try await client.delete(.timeOrdered()) }
    _ = (try await connection.next(), try await connection.next())
    await client.close()
    #expect(await claim?.code == .unavailable)
    #expect(await change?.code == .unknownOutcome)
    #expect(await connection.isClosedByClient())
    #expect(await failure { () throws(JobError) in try await client.ping() }?.code == .unavailable)
  }

  @Test func aClientThatIsDroppedClosesItsConnection() async throws {
    let broker = try await ScriptedBroker()
    func connectAndDrop() async throws -> ScriptedBroker.Connection {
      async let client = JobBrokerClient.connect(configuration(broker.path))
      let connection = try await broker.welcome()
      _ = try await client
      return connection
    }
    #expect(await (try connectAndDrop()).isClosedByClient())
  }

  @Test func revocationsReachWhoAsksEvenLate() async throws {
    let (_, connection, client) = try await connected()
    let early = ClaimToken(id: .timeOrdered(), attempt: 1)
    let late = ClaimToken(id: .timeOrdered(), attempt: 2)
    let notices = client.revocations(of: early)
    for claim in [early, late] {
      connection.reply(to: 0, .revoked(Revocation(claim: claim, status: .cancelled, reason: "cancelled")))
    }
    for await notice in notices { #expect(notice.claim == early) }
    for await notice in client.revocations(of: late) { #expect(notice.claim == late) }
  }

  @Test func aRevocationThatComesBeforeItsHolderListensIsHeardUntilTheClaimIsDropped() async throws {
    let (_, connection, client) = try await connected()
    /// Whatever was sent to the client before has arrived.
    func settle() async throws {
      async let ping: Void = client.ping()
      connection.reply(to: try await connection.next().id, .pong)
      try await ping
    }
    let token = ClaimToken(id: .timeOrdered(), attempt: 1)
    let claim = client.hold(token, lease: .seconds(600))
    let notice = Revocation(claim: token, status: .cancelled, reason: "cancelled")
    connection.reply(to: 0, .revoked(notice))
    try await settle()
    #expect(claim.isOver)
    var heard: [Revocation] = []
    for await revocation in client.revocations(of: token) { heard.append(revocation) }
    #expect(heard == [notice])
    client.drop(claim)
    let later = client.hold(token, lease: .seconds(600))
    try await settle()
    #expect(!later.isOver, "the notice is kept for nobody")
  }

  @Test func revocationsEndWithTheClient() async throws {
    let (_, _, client) = try await connected()
    let claim = ClaimToken(id: .timeOrdered(), attempt: 1)
    let before = client.revocations(of: claim)
    await client.close()
    for await notice in before { Issue.record("\(notice)") }
    for await notice in client.revocations(of: claim) { Issue.record("\(notice)") }
  }
}

extension JobBrokerClient {
  /// When it will look for requests that have waited too long.
  fileprivate var wakes: NIODeadline {
    get async { await withCheckedContinuation { seen in onLoop { seen.resume(returning: $0.wakes) } } }
  }
}

extension JobModel.Operation {
  fileprivate var isClaim: Bool { if case .claim = self { true } else { false } }
}
