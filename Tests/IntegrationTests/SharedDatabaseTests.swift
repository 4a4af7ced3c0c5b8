import Foundation
import JobBrokerClient
import JobModel
import LibSQLTestSupport
import TestSupport
import Synchronization
import Testing
import TrustSupport

/// Which jobs were claimed, and how many were completed.
private final class Tally: Sendable {
  private struct State {
    var claims: [ClaimToken] = []
    var completed = 0
  }

  private let state = Mutex(State())
  private let finish: AsyncStream<Void>.Continuation
  private let finished: AsyncStream<Void>
  private let count: Int

  init(until count: Int) {
    self.count = count
    (finished, finish) = AsyncStream.makeStream()
  }

  var claims: [ClaimToken] { state.withLock { $0.claims } }

  func claimed(_ job: Job) { state.withLock { $0.claims.append(job.claim) } }

  func completed() {
    let isLast = state.withLock { state in
      state.completed += 1
      return state.completed == count
    }
    if isLast { finish.finish() }
  }

  var isFull: Bool { state.withLock { $0.completed == count } }

  /// Waits until all are completed, or this task is cancelled.
  func full() async { for await _ in finished {} }
}

/// Several brokers on one libSQL database.
@Suite struct SharedDatabaseTests {
  @Test func everyJobIsClaimedOnceAmongFourBrokersAndSixteenWorkers() async throws {
    let count = CampaignSize.number("JOBBROKER_SHARED_JOBS", short: 800)
    try await withBrokers(4) { brokers, _ in
      let tally = Tally(until: count)
      var clients: [JobBrokerClient] = []
      for broker in brokers {
        for _ in 0..<4 { clients.append(try await broker.client(reconnects: false)) }
      }
      try await withThrowingTaskGroup(of: Void.self) { group in
        for client in clients {
          group.addTask {
            do {
              while true {
                for job in try await client.claim(ClaimRequest(types: ["t"], wait: .seconds(60))) {
                  tally.claimed(job)
                  _ = try await client.complete(job.id, result: "{}", attempt: job.attempt)
                  tally.completed()
                }
              }
            } catch { guard tally.isFull else { throw error } }
          }
        }
        for producer in 0..<4 {
          let client = try await brokers[producer].client()
          group.addTask {
            for _ in 0..<(count / 4) { _ = try await client.create(NewJob(type: "t")) }
            await client.close()
          }
        }
        let workers = clients
        group.addTask {
          await tally.full()
          for worker in workers { await worker.close() }
        }
        try await group.waitForAll()
      }
      let all = tally.claims
      let again = all.count - Set(all.map(\.id)).count
      CampaignOutcome(
        promise: "no job is claimed twice among brokers that share a database",
        done: "4 brokers and 16 workers on one libSQL server", count: "\(all.count) claims", violations: again
      ).report()
      #expect(all.count == count)
      #expect(again == 0)
      #expect(all.allSatisfy { $0.attempt == 1 })
      let stats = try await brokers[0].client().stats()
      #expect(stats.types.first?.counts[.complete] == count)
    }
  }

  @Test func changesAndCancellationsReachTheOtherBroker() async throws {
    try await withBrokers(2) { brokers, _ in
      let (here, there) = (try await brokers[0].client(), try await brokers[1].client())
      let watch = try await here.watch(WatchSelection(types: ["t"]))
      let id = try await there.create(NewJob(type: "t")).job.id
      // Claimed by a worker that was waiting already, at the other broker.
      let job = try #require(try await here.claim(ClaimRequest(types: ["t"], wait: .seconds(60))).first)
      #expect(job.id == id)
      let revocations = here.revocations(of: job.claim)
      _ = try await there.cancel(id)
      let revocation = await revocations.first { _ in true }
      #expect(revocation?.status == .cancelled)
      await expect(.staleClaim) { _ = try await here.complete(id, attempt: 1) }
      let other = try await there.create(NewJob(type: "t")).job.id
      _ = try await there.complete(other, result: #"{"r":1}"#)
      _ = try await there.delete(other)
      for try await event in watch {
        if event == .deleted(other) { break }
      }
    }
  }

  @Test func aJobThatIsCreatedElsewhereWakesAWaitingClaim() async throws {
    try await withBrokers(2) { brokers, _ in
      let (here, there) = (try await brokers[0].client(), try await brokers[1].client())
      async let claimed = here.claim(ClaimRequest(types: ["t"], wait: .seconds(60)))
      while try await here.stats().waitingClaims == 0 {}
      let job = NewJob(type: "t", notBefore: .now + .milliseconds(300))
      _ = try await there.create(job)
      #expect(try await claimed.map(\.id) == [job.id])
      async let resumed = here.claim(ClaimRequest(types: ["paused"], wait: .seconds(60)))
      try await there.pause(type: "paused")
      let waiting = try await there.create(NewJob(type: "paused")).job.id
      try await there.resume(type: "paused")
      #expect(try await resumed.map(\.id) == [waiting])
    }
  }

  @Test func theClaimsOfAKilledBrokerAreTakenOver() async throws {
    try await withBrokers(2) { brokers, _ in
      let (doomed, other) = (
        try await brokers[0].client(reconnects: false), try await brokers[1].client()
      )
      let id = try await doomed.create(NewJob(type: "t")).job.id
      #expect(try await doomed.claim(ClaimRequest(lease: .seconds(1))).map(\.id) == [id])
      await brokers[0].process.stop(SIGKILL)
      let again = try #require(try await other.claim(ClaimRequest(wait: .seconds(60))).first)
      #expect(again.claim == ClaimToken(id: id, attempt: 2))
      #expect(again.lostCount == 1)
      await expect(.staleClaim) { _ = try await other.complete(id, attempt: 1) }
      _ = try await other.complete(id, attempt: 2)
    }
  }

  @Test func whatABrokerMissedWhileNobodyWaitedIsNotForgotten() async throws {
    try await withBrokers(2) { brokers, server in
      let doomed = try await brokers[0].client(reconnects: false)
      let lost = try await doomed.create(NewJob(type: "lost")).job.id
      let delayed = NewJob(type: "delayed", notBefore: .now + .seconds(1))
      _ = try await doomed.create(delayed)
      #expect(
        try await doomed.claim(ClaimRequest(types: ["lost"], lease: .seconds(1))).map(\.id) == [lost])
      await brokers[0].process.stop(SIGKILL)
      // As if 50,000 changes of other jobs had come since.
      try await server.run([
        "INSERT INTO job_changes SELECT NULL, 7, 1, 0, 1000000, 1, zeroblob(16), 'other'",
        "DELETE FROM job_changes WHERE number < (SELECT max(number) FROM job_changes)",
      ])
      let other = try await brokers[1].client()
      async let due = other.claim(ClaimRequest(types: ["delayed"], wait: .seconds(60)))
      async let again = other.claim(ClaimRequest(types: ["lost"], wait: .seconds(60)))
      #expect(try await due.map(\.id) == [delayed.id])
      #expect(try await again.map(\.claim) == [ClaimToken(id: lost, attempt: 2)])
    }
  }

  @Test func aRestartedBrokerKnowsItsWorkersAgain() async throws {
    try await withBrokers(1) { brokers, server in
      let id = try await brokers[0].client().create(NewJob(type: "t")).job.id
      _ = try await brokers[0].client().claim(ClaimRequest(types: ["t"]))
      await brokers[0].process.stop(SIGKILL)
      let next = try await BrokerProcess.sharing(server, in: brokers[0].directory)
      let client = try await next.client(name: "holder")
      _ = try await client.update(id, JobUpdate(progress: 50), attempt: 1)
      #expect(
        try await client.workers().workers.flatMap(\.holds).map(\.claim) == [ClaimToken(id: id, attempt: 1)])
      _ = try await client.complete(id, attempt: 1)
      await next.process.stop()
    }
  }

  @Test func aBrokerAsksTheDatabaseOnlyWhileSomebodyWaitsAndOnceAnInterval() async throws {
    let server = try await SQLServer.start()
    let (looks, looked) = AsyncStream<ContinuousClock.Instant>.makeStream()
    let look: Gateway.Plan = { _, _ in
      looked.yield(.now)
      return .pass
    }
    try await withGateway(before: server.url) { quiet in
      try await withGateway(before: server.url, plan: look) { asking in
        let idle = try await BrokerProcess.sharing(quiet.url)
        let waiting = try await BrokerProcess.sharing(asking.url)
        // A client alone is no reason to ask.
        let client = try await idle.client()
        try await client.ping()
        let before = quiet.requests
        let worker = try await waiting.client()
        async let claimed = worker.claim(ClaimRequest(types: ["t"], wait: .seconds(60)))
        while try await worker.stats().waitingClaims == 0 {}
        let first = ContinuousClock.now
        var count = 0
        for await look in looks where look > first {
          count += 1
          // An interval is 0.75 s at least; the first look may have been due, and one may be the claim itself.
          #expect(look - first >= .milliseconds(750) * (count - 3))
          if count == 5 { break }
        }
        #expect(quiet.requests == before)
        _ = try await worker.create(NewJob(type: "t"))
        #expect(try await claimed.count == 1)
        for broker in [idle, waiting] { #expect(await broker.process.stop() == 0) }
      }
    }
    await server.stop()
  }

  @Test func aDatabaseThatIsAwayIsWaitedFor() async throws {
    let server = try await SQLServer.start()
    let broker = try await BrokerProcess.sharing(server)
    let client = try await broker.client()
    let id = try await client.create(NewJob(type: "t")).job.id
    _ = try await client.claim(ClaimRequest(types: ["t"]))
    await server.stop()
    // The read first: it takes what is left of the old connection, on which a create might have been carried out.
    await expect(.unavailable) { _ = try await client.get(id) }
    await expect(.unavailable) { _ = try await client.create(NewJob(type: "t")) }
    let again = try await server.restarted()
    #expect(try await client.complete(id, attempt: 1).status == .complete)
    #expect(await broker.process.stop() == 0)
    await again.stop()
  }

  @Test(arguments: [
    ([:], "TURSO_DATABASE_URL"), (["TURSO_DATABASE_URL": "nonsense"], "TURSO_DATABASE_URL"),
    (["TURSO_DATABASE_URL": "http://127.0.0.1:1"], "TURSO_DATABASE_URL"),
    (["TURSO_DATABASE_URL": "http://127.0.0.1:1", "TURSO_AUTH_TOKEN": "hunter2 x"], "TURSO_AUTH_TOKEN"),
    (["TURSO_DATABASE_URL": "https://127.0.0.1:1", "TURSO_CA_FILE": "/nonexistent"], "TURSO_CA_FILE"),
  ])
  func aBrokerThatCanNotStartSaysWhichVariableToLookAt(
    _ environment: [String: String], _ variable: String
  ) async throws {
    let errors = try await errorsOfABrokerThatCanNotStart(environment)
    #expect(errors.contains(variable))
    #expect(!errors.contains("hunter2"))
  }

  @Test func aBrokerWhoseTokenDoesNotLetItInSaysSoAndDoesNotShowIt() async throws {
    let issuer = try TokenIssuer()
    let server = try await SQLServer.start(["--auth-jwt-key-file", issuer.publicKey])
    let tokens = [nil, try issuer.token(expiry: .now - 3600), try issuer.token(access: "ro")]
    for token in tokens {
      var environment = ["TURSO_DATABASE_URL": server.url]
      environment["TURSO_AUTH_TOKEN"] = token
      let errors = try await errorsOfABrokerThatCanNotStart(environment)
      #expect(errors.contains("TURSO_AUTH_TOKEN"))
      if let token { #expect(!errors.contains(token)) }
    }
    await server.stop()
  }

  @Test(arguments: [SQLServer.Checkpoints.afterCommits, .atIntervals])
  func aBrokerWarnsOfAServerThatMayStopAnswering(_ checkpoints: SQLServer.Checkpoints) async throws {
    let server = try await SQLServer.start(checkpoints: checkpoints)
    let broker = try await BrokerProcess.sharing(server)
    #expect(await broker.process.stop() == 0)
    let errors = await broker.process.allErrors()
    #expect(errors.contains("--checkpoint-interval-s") == (checkpoints == .afterCommits))
    await server.stop()
  }

  private func errorsOfABrokerThatCanNotStart(_ environment: [String: String]) async throws -> String {
    let directory = TemporaryDirectory()
    let settings = ["JOB_STORE_BACKEND": "turso", "TURSO_DATABASE_URL": ""].merging(environment) { $1 }
    let process = try ChildProcess(
      Products.jobbrokerd, ["--socket", directory.file("broker.sock")], environment: settings)
    #expect(await process.waitForExit() == 1)
    return await process.allErrors()
  }
}

extension BrokerProcess {
  /// Starts a broker on a database server.
  static func sharing(
    _ server: SQLServer, in directory: TemporaryDirectory = TemporaryDirectory()
  ) async throws -> BrokerProcess {
    try await sharing(server.url, in: directory)
  }

  /// Starts a broker on the database server at `url`.
  static func sharing(
    _ url: String, in directory: TemporaryDirectory = TemporaryDirectory()
  ) async throws -> BrokerProcess {
    let process = try ChildProcess(
      Products.jobbrokerd, ["--socket", directory.file("broker.sock")],
      environment: ["JOB_STORE_BACKEND": "turso", "TURSO_DATABASE_URL": url])
    _ = try await process.line(beginning: "ready socket=")
    return BrokerProcess(process: process, directory: directory)
  }
}

/// Starts brokers on a database server for one test, and ends all of them afterwards.
private func withBrokers(
  _ count: Int, _ body: ([BrokerProcess], SQLServer) async throws -> Void
) async throws {
  let server = try await SQLServer.start()
  var brokers: [BrokerProcess] = []
  let outcome: Result<Void, any Error>
  do {
    for _ in 0..<count { brokers.append(try await BrokerProcess.sharing(server)) }
    outcome = .success(try await body(brokers, server))
  } catch { outcome = .failure(error) }
  for broker in brokers { await broker.process.stop() }
  await server.stop()
  try outcome.get()
}
