import Foundation
import JobBrokerClient
import JobModel
import JobProtocol
import Testing

@Suite struct ShutdownTests {
  @Test func theEndOfTheTerminalIsAShutdownUnlessTheBrokerIsToSurviveIt() async throws {
    let broker = try await BrokerProcess.start()
    #expect(await broker.process.stop(SIGHUP) == 0)
    #expect(!FileManager.default.fileExists(atPath: broker.socket))
    let other = try await BrokerProcess.start(through: ["/bin/sh", "-c", #"trap '' HUP; exec "$0" "$@""#])
    other.process.send(SIGHUP)
    try await other.client().ping()
    #expect(await other.process.stop() == 0)
  }

  @Test func aShutdownAnswersBlockedClaimsAndExitsWithZero() async throws {
    let broker = try await BrokerProcess.start()
    let raw = try RawConnection(to: broker.socket)
    try await raw.greet()
    try await raw.write(Request(id: 2, operation: .claim(ClaimRequest(wait: .seconds(3600)))))
    try await raw.write(Request(id: 3, operation: .ping))
    #expect(try await raw.read()?.reply == .pong)
    broker.process.send(SIGTERM)
    let response = try #require(try await raw.read())
    guard case .error(let error) = response.reply else {
      throw RawConnection.Failure(description: "\(response)")
    }
    #expect(response.id == 2 && error.code == .unavailable)
    #expect(try await raw.read() == nil)
    #expect(await broker.process.waitForExit() == 0)
  }

  @Test func everyRequestUnderWayAtAShutdownIsAnsweredAndKept() async throws {
    let broker = try await BrokerProcess.start()
    let raw = try RawConnection(to: broker.socket)
    try await raw.greet()
    let jobs = (2...101).map { NewJob(type: "t", metadata: #"{"n":\#($0)}"#) }
    let requests = jobs.enumerated().map {
      Request(id: UInt64($0.offset + 2), operation: .create([$0.element]))
    }
    await raw.write(try RawConnection.frames(of: requests))
    broker.process.send(SIGTERM)
    var created: Set<JobID> = []
    var answered: Set<UInt64> = []
    while let response = try await raw.read() {
      answered.insert(response.id)
      if case .created(let entries) = response.reply { created.formUnion(entries.map(\.job.id)) }
    }
    #expect(await broker.process.waitForExit() == 0)
    let successor = try await BrokerProcess.start(in: broker.directory)
    let stored = try await successor.client().list(JobFilter(limit: 1000)).jobs.map(\.id)
    #expect(Set(stored) == created, "what was answered and what is stored differ")
    await successor.process.stop()
  }

  @Test func whoReadsAtAShutdownGetsEveryAnswerWhole() async throws {
    let broker = try await BrokerProcess.start()
    let raw = try RawConnection(to: broker.socket)
    try await raw.greet()
    let job = NewJob(type: "t", metadata: #"{"x":"\#(String(repeating: "x", count: 380_000))"}"#)
    guard case .created = try await raw.ask(2, .create([job])) else {
      Issue.record("not created")
      return
    }
    // Far more than the sockets' buffers hold: most of it is in the broker when it is told to end.
    let asked = Set<UInt64>(3..<13)
    await raw.write(
      try RawConnection.frames(of: asked.sorted().map { Request(id: $0, operation: .get(job.id)) }))
    try await until({ raw.hasInput }, { $0 })
    broker.process.send(SIGTERM)
    var answered: Set<UInt64> = []
    for response in try await raw.readToEnd() {
      switch response.reply {
      case .job(let found): #expect(found.id == job.id)
      case .error(let error): #expect(error.code == .unavailable)
      default: Issue.record("\(response)")
      }
      answered.insert(response.id)
    }
    #expect(answered == asked)
    #expect(await broker.process.waitForExit() == 0)
  }

  @Test func aClaimInForceOutlivesTheBroker() async throws {
    let broker = try await BrokerProcess.start()
    let client = try await broker.client()
    let id = try await client.create(NewJob(type: "t")).job.id
    let job = try #require(try await client.claim().first)
    let successor = try await broker.restartAfterKill()
    let updated = try await client.update(id, JobUpdate(progress: 40), attempt: job.attempt)
    #expect(updated.status == .processing && updated.progress == 40)
    _ = try await client.complete(id, result: #"{"ok":true}"#, attempt: job.attempt)
    #expect(try await client.get(id)?.status == .complete)
    await successor.process.stop()
  }

  @Test func aBlockedClaimSurvivesARestart() async throws {
    let broker = try await BrokerProcess.start()
    let worker = try await broker.client(name: "worker")
    let producer = try await broker.client()
    async let claimed = worker.claim(ClaimRequest(types: ["t"], wait: .seconds(600)))
    try await until(producer.stats) { $0.waitingClaims > 0 }
    let successor = try await broker.restartAfterKill()
    let id = try await producer.create(NewJob(type: "t")).job.id
    #expect(try await claimed.map(\.id) == [id])
    await successor.process.stop()
  }
}
