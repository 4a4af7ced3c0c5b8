import JobModel
import Testing

@testable import JobBrokerClient

@Suite(.timeLimit(.minutes(10))) struct ReconnectTests {
  @Test func safeRequestsAreSentAgainInOrderWithTheSameContent() async throws {
    let (broker, connection, client) = try await connected()
    let job = NewJob(type: "ingest", metadata: #"{"file":"a.wav"}"#)
    let calls = Task(executorPreference: client.taskExecutor) {
      async let created = client.create(job)
      async let completed = client.complete(job.id, result: "{}", attempt: 3)
      async let claimed = client.claim(ClaimRequest(types: ["save"]))
      return try await (created.created, completed.attempt, claimed.count)
    }
    var before: [JobModel.Operation] = []
    for _ in 0..<3 { before.append(try await connection.next().operation) }
    try await connection.close()

    let next = try await broker.welcome()
    var after: [JobModel.Operation] = []
    for _ in 0..<3 {
      let (id, operation) = try await next.next()
      after.append(operation)
      switch operation {
      case .create: next.reply(to: id, .created([CreatedJob(job: someJob(), created: false)]))
      case .complete: next.reply(to: id, .job(someJob(attempt: 3, status: .complete)))
      default: next.reply(to: id, .claimed([]))
      }
    }
    #expect(after == before)
    let results = try await calls.value
    #expect(results == (false, 3, 0))
  }

  @Test func aRequestThatIsNotSafeToRepeatHasAnUnknownOutcome() async throws {
    let (broker, connection, client) = try await connected()
    async let change = failure { () throws(JobError) in try await client.complete(.timeOrdered()) }
    _ = try await connection.next()
    try await connection.close()
    #expect(await change?.code == .unknownOutcome)
    let next = try await broker.welcome()
    async let ping: Void = client.ping()
    let (id, operation) = try await next.next()
    #expect(operation == .ping)
    next.reply(to: id, .pong)
    try await ping
  }

  @Test func aBlockedClaimOutlivesTheBroker() async throws {
    let path = ScriptedBroker.newPath()
    let first = try await ScriptedBroker(at: path)
    async let connecting = JobBrokerClient.connect(configuration(path))
    let connection = try await first.welcome()
    let client = try await connecting
    async let claimed = client.claim(ClaimRequest(wait: .seconds(60)))
    connection.reply(to: try await connection.next().id, .error(JobError(.unavailable, "draining")))
    try await first.stop()
    try await connection.close()

    let second = try await ScriptedBroker(at: path)
    let next = try await second.welcome()
    let (id, operation) = try await next.next()
    guard case .claim(let request) = operation else {
      Issue.record("\(operation)")
      return
    }
    #expect(request.wait <= .seconds(60) && request.wait > .zero)
    let job = someJob()
    next.reply(to: id, .claimed([job]))
    #expect(try await claimed == [job])
  }

  @Test func aClaimRefusedByADrainingBrokerIsTriedAgain() async throws {
    let (_, connection, client) = try await connected()
    async let claimed = client.claim()
    connection.reply(to: try await connection.next().id, .error(JobError(.unavailable, "draining")))
    connection.reply(to: try await connection.next().id, .claimed([]))
    #expect(try await claimed == [])
  }

  @Test func withoutReconnectingTheFirstLossEndsEveryCall() async throws {
    let (_, connection, client) = try await connected(reconnects: false)
    async let claim = failure { () throws(JobError) in
      try await client.claim(ClaimRequest(wait: .seconds(60)))
    }
    async let watch = failure { () throws(JobError) in try await client.watch() }
    _ = (try await connection.next(), try await connection.next())
    try await connection.close()
    #expect(await claim?.code == .unavailable)
    #expect(await watch?.code == .unavailable)
    #expect(await failure { () throws(JobError) in try await client.ping() }?.code == .unavailable)
  }

  @Test func aHeartbeatThatWasInLineGoesFirstOnTheNextConnection() async throws {
    let (broker, connection, client) = try await connected(maxInFlight: 1)
    let (ready, reported) = (Mailbox<Void>(), Mailbox<Void>())
    let worker = Worker(client: client, types: ["ingest"]) { context in
      _ = await ready.take()
      try await context.report(progress: 1)
      reported.put(())
      _ = await ready.take()
      return nil
    }
    let run = Task { try await worker.run() }
    let job = someJob()
    connection.reply(to: try await connection.next().id, .claimed([job]))
    // The ping has the only place, so that the heartbeat stands in line.
    async let ping: Void = client.ping()
    #expect(try await connection.next().operation == .ping)
    ready.put(())
    _ = await reported.take()
    try await connection.close()

    let next = try await broker.welcome(maxInFlight: 1)
    let (id, operation) = try await next.next()
    guard case .update(job.id, attempt: 1, let update) = operation else {
      Issue.record("not the heartbeat: \(operation)")
      return
    }
    #expect(update.progress == 1)
    next.reply(to: id, .job(job))
    next.reply(to: try await next.next().id, .pong)
    try await ping
    run.cancel()
    ready.close()
  }

  @Test func aJobIsKeptFromTheMomentItComes() async throws {
    let (broker, connection, client) = try await connected()
    async let reply = client.sendShielded(.claim(ClaimRequest(lease: .seconds(3600))))
    let job = someJob(attempt: 3)
    connection.reply(to: try await connection.next().id, .claimed([job]))
    #expect(try await reply == .claimed([job]))
    // The task of its worker has not begun to hold it.
    try await connection.close()
    let next = try await broker.welcome()
    async let ping: Void = client.ping()
    let (id, operation) = try await next.next()
    #expect(operation == .update(job.id, attempt: 3, JobUpdate()))
    next.reply(to: id, .job(job))
    let claim = client.hold(job.claim, lease: .seconds(3600))
    next.reply(to: 0, .revoked(Revocation(claim: job.claim, status: .cancelled, reason: "cancelled")))
    next.reply(to: try await next.next().id, .pong)
    try await ping
    #expect(claim.isOver, "whoever holds it now is told")
  }

  @Test func aCallMadeWhileTheBrokerIsAwayWaitsForIt() async throws {
    let path = ScriptedBroker.newPath()
    let first = try await ScriptedBroker(at: path)
    async let connecting = JobBrokerClient.connect(configuration(path))
    let connection = try await first.welcome()
    let client = try await connecting
    // This call ends when the client notices the loss.
    async let lost = failure { () throws(JobError) in try await client.retry(.timeOrdered()) }
    _ = try await connection.next()
    try await first.stop()
    try await connection.close()
    #expect(await lost?.code == .unknownOutcome)
    async let deleted: Void = client.delete(.timeOrdered())
    let second = try await ScriptedBroker(at: path)
    let next = try await second.welcome()
    next.reply(to: try await next.next().id, .done)
    try await deleted
  }

  @Test(arguments: [
    (JobModel.Operation.update(.timeOrdered(), attempt: 1, JobUpdate(progress: 1)), true),
    (.update(.timeOrdered(), attempt: nil, JobUpdate(progress: 1)), false),
    (.fail(.timeOrdered(), attempt: 1, error: "", retryable: true), true),
    (.fail(.timeOrdered(), attempt: nil, error: "", retryable: true), false),
    (.release(.timeOrdered(), attempt: 1, delay: .zero), true),
    (.release(.timeOrdered(), attempt: nil, delay: .zero), false),
    (.cancel(.timeOrdered()), true), (.retry(.timeOrdered()), false), (.delete(.timeOrdered()), false),
    (.pause(type: "a"), true), (.prune(olderThan: .zero, status: nil, type: nil), false),
  ])
  func onlyWhatAFenceOrAStateMakesSafeIsRepeated(_ operation: JobModel.Operation, _ isRepeatable: Bool) {
    #expect(operation.isRepeatable == isRepeatable)
  }
}
