import Foundation
import JobBrokerClient
import Testing
import TestSupport

/// The broker as a service of systemd: its socket passed by LISTEN_FDS, its state told by sd_notify.
@Suite(.timeLimit(.minutes(10))) struct ServiceManagerTests {
  @Test func aPassedSocketIsServedAndLeftToItsOwner() async throws {
    let directory = TemporaryDirectory()
    let path = directory.file("activated.sock")
    let listener = try ServiceManager.listen(at: path)
    // Whoever connects before the service is up waits for it.
    let early = try RawConnection(to: path)
    let broker = try await BrokerProcess.start(
      in: directory, through: ServiceManager.passingInput, input: listener)
    #expect(broker.readiness == "ready socket=\(path)")
    try await early.greet()
    #expect(try await early.ask(2, .ping) == .pong)
    #expect(!FileManager.default.fileExists(atPath: broker.socket), "it made a socket of its own")
    #expect(await broker.process.stop() == 0)
    #expect(FileManager.default.fileExists(atPath: path), "it removed a socket that it did not make")

    let successor = try await BrokerProcess.start(
      in: directory, through: ServiceManager.passingInput, input: listener)
    let late = try RawConnection(to: path)
    try await late.greet()
    #expect(await successor.process.stop() == 0)
  }

  @Test func whatIsPassedMustBeAListeningSocket() async throws {
    let process = try BrokerProcess.spawn(in: TemporaryDirectory(), through: ServiceManager.passingInput)
    #expect(await process.waitForExit() == 1)
    #expect(await process.allErrors().contains("LISTEN_FDS must pass exactly one listening Unix"))
  }

  @Test func descriptorsPassedToAnotherProcessAreNotOurs() async throws {
    let broker = try await BrokerProcess.start(environment: ["LISTEN_FDS": "1", "LISTEN_PID": "1"])
    try await broker.client().ping()
    #expect(await broker.process.stop() == 0)
  }

  @Test(arguments: [false, true])
  func readinessAndTheEndAreTold(inAbstractNamespace: Bool) async throws {
    let directory = TemporaryDirectory()
    let name = directory.file("notify")
    let manager = try NotifySocket(at: inAbstractNamespace ? "\0" + name : name)
    let broker = try await BrokerProcess.start(
      in: directory, environment: ["NOTIFY_SOCKET": inAbstractNamespace ? "@" + name : name])
    #expect(await manager.receive() == "READY=1\nSTATUS=Serving \(broker.socket)")
    await broker.process.stop()
    #expect(manager.pending() == ["STOPPING=1"])
  }

  @Test func theWatchdogIsFedAsLongAsTheBrokerServes() async throws {
    let directory = TemporaryDirectory()
    let manager = try NotifySocket(at: directory.file("notify"))
    let broker = try await BrokerProcess.start(
      in: directory, environment: ["NOTIFY_SOCKET": directory.file("notify"), "WATCHDOG_USEC": "20000"])
    var meals = 0
    while meals < 3 { if await manager.receive() == "WATCHDOG=1" { meals += 1 } }
    broker.process.send(SIGSTOP)
    _ = manager.pending()
    broker.process.send(SIGCONT)
    #expect(await manager.receive() == "WATCHDOG=1")
    #expect(await broker.process.stop() == 0)
  }

  @Test func aServiceManagerThatDoesNotReadHoldsNobodyUp() async throws {
    let directory = TemporaryDirectory()
    let manager = try NotifySocket(at: directory.file("notify"))
    let broker = try await BrokerProcess.start(
      in: directory, environment: ["NOTIFY_SOCKET": directory.file("notify"), "WATCHDOG_USEC": "1000"])
    let client = try await broker.client(reconnects: false)
    // More signs of life than its queue holds.
    try await until({ try await client.stats().uptime }) { $0 > .milliseconds(200) }
    #expect(await broker.process.stop() == 0)
    #expect(manager.pending().contains("WATCHDOG=1"))
  }

  @Test func theWatchdogOfAnotherProcessIsNotFed() async throws {
    let directory = TemporaryDirectory()
    let manager = try NotifySocket(at: directory.file("notify"))
    let broker = try await BrokerProcess.start(
      in: directory,
      environment: [
        "NOTIFY_SOCKET": directory.file("notify"), "WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1",
      ])
    try await broker.client().ping()
    await broker.process.stop()
    #expect(!manager.pending().contains("WATCHDOG=1"))
  }
}
