import JobModel
import Testing

@testable import JobBrokerClient

@Suite(.timeLimit(.minutes(10))) struct CancellationTests {
  @Test func aWaitingClaimIsWithdrawnWithItsTaskAndItsLateJobsGoBack() async throws {
    let (_, connection, client) = try await connected()
    let claim = Task {
      await failure { () throws(JobError) in
        try await client.claim(ClaimRequest(maxJobs: 2, wait: .seconds(60)))
      }
    }
    let id = try await connection.next().id
    claim.cancel()
    #expect(await claim.value?.code == .unavailable)
    #expect(try await connection.next().operation == .withdraw(id: id))
    let jobs = [someJob(attempt: 3), someJob(attempt: 4)]
    connection.reply(to: id, .claimed(jobs))
    for job in jobs {
      #expect(try await connection.next().operation == .release(job.id, attempt: job.attempt, delay: .zero))
    }
  }

  @Test func whatIsGivenBackWhenTheConnectionIsLostIsGivenBackOnTheNext() async throws {
    let (broker, connection, client) = try await connected()
    let claim = Task {
      await failure { () throws(JobError) in try await client.claim(ClaimRequest(wait: .seconds(60))) }
    }
    let id = try await connection.next().id
    claim.cancel()
    #expect(await claim.value?.code == .unavailable)
    #expect(try await connection.next().operation == .withdraw(id: id))
    let job = someJob(attempt: 3)
    connection.reply(to: id, .claimed([job]))
    let release = JobModel.Operation.release(job.id, attempt: 3, delay: .zero)
    #expect(try await connection.next().operation == release)
    try await connection.close()
    let next = try await broker.welcome()
    #expect(try await next.next().operation == release)
    await client.close()
  }

  @Test func aShieldedClaimOfACancelledTaskIsWithdrawnAndItsJobsCome() async throws {
    let (_, connection, client) = try await connected()
    let claim = Task { try await client.sendShielded(.claim(ClaimRequest(wait: .seconds(60)))) }
    let id = try await connection.next().id
    claim.cancel()
    let withdrawal = try await connection.next()
    #expect(withdrawal.operation == .withdraw(id: id))
    let job = someJob()
    connection.reply(to: id, .claimed([job]))
    connection.reply(to: withdrawal.id, .done)
    #expect(try await claim.value == .claimed([job]))
  }

  @Test func aShieldedClaimStillInLineEndsWithItsTask() async throws {
    let (_, connection, client) = try await connected(maxInFlight: 1)
    async let ping: Void = client.ping()
    let id = try await connection.next().id
    let claim = Task { try await client.sendShielded(.claim(ClaimRequest(wait: .seconds(60)))) }
    claim.cancel()
    #expect(try await claim.value == .claimed([]))
    connection.reply(to: id, .pong)
    try await ping
    async let stats = client.stats()
    let next = try await connection.next()
    #expect(next.operation == .stats)
    connection.reply(to: next.id, .stats(BrokerStats()))
    _ = try await stats
  }

  /// And not sent again: it would wait again.
  @Test func aWithdrawnClaimEndsWithItsConnection() async throws {
    let (broker, connection, client) = try await connected()
    let claim = Task {
      await failure { () throws(JobError) in
        try await client.sendShielded(.claim(ClaimRequest(wait: .seconds(60))))
      }
    }
    let id = try await connection.next().id
    claim.cancel()
    #expect(try await connection.next().operation == .withdraw(id: id))
    try await connection.close()
    #expect(await claim.value?.code == .unavailable)
    let next = try await broker.welcome()
    async let ping: Void = client.ping()
    let (pingID, operation) = try await next.next()
    #expect(operation == .ping)
    next.reply(to: pingID, .pong)
    try await ping
  }

  @Test func aCallOfACancelledTaskEndsAtOnce() async throws {
    let (_, _, client) = try await connected()
    let call = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      return await failure { () throws(JobError) in try await client.claim(ClaimRequest(wait: .seconds(60))) }
    }
    #expect(await call.value?.code == .unavailable)
  }

  @Test func aChangeThatWasSentHasAnUnknownOutcome() async throws {
    let (_, connection, client) = try await connected()
    let call = Task { await failure { () throws(JobError) in try await client.retry(.timeOrdered()) } }
    _ = try await connection.next()
    call.cancel()
    #expect(await call.value?.code == .unknownOutcome)
  }

  @Test func aRequestStillInLineIsNeverSent() async throws {
    let (_, connection, client) = try await connected(maxInFlight: 1)
    async let first: Void = client.ping()
    let id = try await connection.next().id
    let second = Task { await failure { () throws(JobError) in try await client.delete(.timeOrdered()) } }
    second.cancel()
    #expect(await second.value?.code == .unavailable)
    async let third = client.stats()
    connection.reply(to: id, .pong)
    let next = try await connection.next()
    #expect(next.operation == .stats)
    connection.reply(to: next.id, .stats(BrokerStats()))
    try await first
    _ = try await third
  }
}
