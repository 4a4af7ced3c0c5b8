import Foundation
import JobBrokerClient
import TestSupport

/// A real `jobbrokerd` on a private socket and database.
struct BrokerProcess: Sendable {
  let process: ChildProcess
  let directory: TemporaryDirectory
  /// The line by which it said that it answers.
  var readiness = ""

  var socket: String { directory.file("broker.sock") }
  var database: String { directory.file("jobs.db") }

  /// Starts a broker and waits until it answers. With the directory of an earlier one it takes over its jobs.
  static func start(
    in directory: TemporaryDirectory = TemporaryDirectory(), _ arguments: [String] = [],
    environment: [String: String] = [:], through wrapper: [String] = [], input: FileHandle? = nil
  ) async throws -> BrokerProcess {
    let process = try spawn(
      in: directory, arguments, environment: environment, through: wrapper, input: input)
    let readiness = try await process.line(beginning: "ready socket=")
    return BrokerProcess(process: process, directory: directory, readiness: readiness)
  }

  /// Starts a broker without waiting. A wrapper is a command that ends with executing what it is given.
  static func spawn(
    in directory: TemporaryDirectory, _ arguments: [String] = [], environment: [String: String] = [:],
    through wrapper: [String] = [], input: FileHandle? = nil
  ) throws -> ChildProcess {
    let own = ["--socket", directory.file("broker.sock"), "--db", directory.file("jobs.db")]
    let command = wrapper + [Products.jobbrokerd] + own + arguments
    return try ChildProcess(
      command[0], Array(command.dropFirst()), environment: environment, input: input, in: directory)
  }

  /// A client of this broker.
  func client(name: String = "test", readOnly: Bool = false, reconnects: Bool = true) async throws
    -> JobBrokerClient
  {
    var configuration = JobBrokerClient.Configuration()
    configuration.socketPath = socket
    configuration.clientName = "tests"
    configuration.workerName = name
    configuration.isReadOnly = readOnly
    configuration.reconnects = reconnects
    configuration.requestTimeout = .seconds(600)  // This machine may be slow.
    return try await JobBrokerClient.connect(configuration)
  }

  /// Ends it as kill −9 does, and starts another in its place.
  func restartAfterKill(
    environment: [String: String] = [:], through wrapper: [String] = []
  ) async throws -> BrokerProcess {
    await process.stop(SIGKILL)
    return try await BrokerProcess.start(in: directory, environment: environment, through: wrapper)
  }

  /// Runs a command of `jobctl` against this broker.
  func jobctl(_ arguments: String..., through wrapper: [String] = []) async throws -> Finished {
    try await jobctl(arguments, through: wrapper)
  }

  /// Runs a command of `jobctl` against this broker.
  func jobctl(_ arguments: [String], through wrapper: [String] = []) async throws -> Finished {
    try await Finished.running(
      wrapper + [Products.jobctl] + arguments, environment: ["JOBBROKER_SOCKET": socket])
  }
}
