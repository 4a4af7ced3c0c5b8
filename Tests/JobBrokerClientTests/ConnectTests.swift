import Glibc
import JobModel
import Testing

@testable import JobBrokerClient

@Suite(.timeLimit(.minutes(10))) struct ConnectTests {
  @Test func saysHelloAndKeepsTheWelcome() async throws {
    let broker = try await ScriptedBroker()
    async let connecting = JobBrokerClient.connect(configuration(broker.path))
    let connection = try await broker.accept()
    let (id, hello) = try await connection.next()
    #expect(hello == .hello(Hello(client: "tests/1", workerName: "tester", readOnly: false)))
    let welcome = Welcome(server: "scripted", maxInFlight: 7, features: ["x"])
    connection.reply(to: id, .welcome(welcome))
    let client = try await connecting
    #expect(client.welcome == welcome)
  }

  @Test func namesTheSocketAndTheRemedyWhenThereIsNoBroker() async throws {
    let path = ScriptedBroker.newPath()
    let error = await failure { () throws(JobError) in
      try await JobBrokerClient.connect(configuration(path))
    }
    #expect(error?.code == .unavailable)
    #expect(error?.message.contains("jobbrokerd --socket \(path)") == true)
  }

  @Test func refusesADirectoryInTmpThatBelongsToSomebodyElse() throws {
    // A user that is not this one.
    let uid = getuid() &+ 3_000_000_000
    let directory = "/tmp/jobbroker-\(uid)"
    rmdir(directory)  // Of a run that was killed.
    guard case .missing(ENOENT) = SocketOwner.objection(to: "\(directory)/jobbroker.sock", uid: uid) else {
      Issue.record("there is none yet")
      return
    }
    try #require(mkdir(directory, 0o700) == 0)
    defer { rmdir(directory) }
    guard case .foreign(let error) = SocketOwner.objection(to: "\(directory)/jobbroker.sock", uid: uid) else {
      Issue.record("it is not his")
      return
    }
    #expect(error.code == .permissionDenied)
    #expect(error.message.contains("\(directory) belongs to another user (uid \(getuid()))"))
    #expect(SocketOwner.objection(to: "\(directory)/jobbroker.sock", uid: getuid()) == nil, "not his")
  }

  /// In the user's own directory, for he can make no other's; where it is there, he may have a broker in it.
  @Test(.enabled(if: access("/tmp/jobbroker-\(getuid())", F_OK) != 0))
  func findsABrokerWhoseDirectoryInTmpWasMissing() async throws {
    let directory = "/tmp/jobbroker-\(getuid())"
    let path = "\(directory)/jobbroker.sock"
    let error = await failure { () throws(JobError) in
      try await JobBrokerClient.connect(configuration(path))
    }
    #expect(error?.code == .unavailable)
    #expect(error?.message.contains("No such file or directory. Start one") == true)
    async let connecting = JobBrokerClient.connect(configuration(path), waitsForBroker: true)
    try #require(mkdir(directory, 0o700) == 0)
    defer {
      unlink(path)
      rmdir(directory)
    }
    let broker = try await ScriptedBroker(at: path)
    _ = try await broker.welcome()
    #expect(try await connecting.welcome.server == "scripted")
  }

  @Test func waitsForTheBrokerWhenAsked() async throws {
    let path = ScriptedBroker.newPath()
    async let connecting = JobBrokerClient.connect(configuration(path), waitsForBroker: true)
    let broker = try await ScriptedBroker(at: path)
    _ = try await broker.welcome()
    #expect(try await connecting.welcome.server == "scripted")
  }

  @Test func waitingForTheBrokerEndsWithItsTask() async throws {
    let task = Task {
      await failure { () throws(JobError) in
        try await JobBrokerClient.connect(configuration(ScriptedBroker.newPath()), waitsForBroker: true)
      }
    }
    task.cancel()
    #expect(await task.value?.code == .unavailable)
  }

  @Test(arguments: [JobError.Code.permissionDenied, .unsupported, .unavailable])
  func throwsTheBrokersRefusal(_ code: JobError.Code) async throws {
    let broker = try await ScriptedBroker()
    async let refusal = failure { () throws(JobError) in
      try await JobBrokerClient.connect(configuration(broker.path))
    }
    let connection = try await broker.accept()
    connection.reply(to: try await connection.next().id, .error(JobError(code, "not you")))
    #expect(await refusal == JobError(code, "not you"))
  }

  @Test func refusesAnotherVersionOfTheProtocol() async throws {
    let broker = try await ScriptedBroker()
    async let refusal = failure { () throws(JobError) in
      try await JobBrokerClient.connect(configuration(broker.path))
    }
    let connection = try await broker.accept()
    let id = try await connection.next().id
    connection.reply(to: id, .welcome(Welcome(protocolVersion: 2, server: "later")))
    #expect(await refusal?.code == .unsupported)
  }

  @Test func aPeerThatNeverAnswersTheHelloIsGivenUp() async throws {
    let broker = try await ScriptedBroker()
    let error = await failure { () throws(JobError) in
      try await JobBrokerClient.connect(configuration(broker.path, requestTimeout: .milliseconds(20)))
    }
    #expect(error?.code == .unavailable)
  }

  @Test func backoffGrowsToItsMaximum() {
    let backoff = Backoff(initial: .milliseconds(50), factor: 2, maximum: .milliseconds(350))
    let ceilings = [0, 1, 2, 3, 4, 500].map { backoff.ceiling(afterFailures: $0) }
    #expect(ceilings == [50, 50, 100, 200, 350, 350].map { Duration.milliseconds($0) })
    #expect((0..<100).allSatisfy { _ in backoff.delay(afterFailures: 3) <= .milliseconds(200) })
  }
}
