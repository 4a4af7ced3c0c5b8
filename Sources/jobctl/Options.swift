import ArgumentParser
import JobBrokerClient
import Logging

/// The options every command has.
struct BrokerOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The broker's socket. Otherwise $JOBBROKER_SOCKET, otherwise this user's usual place.",
      valueName: "path"),
    completion: .file(extensions: ["sock"]))
  var socket: String?

  @Flag(help: "Print one JSON object a line, for scripts.")
  var json = false

  @Option(
    help: ArgumentHelp(
      "How long the broker may take to answer, as in 5s. (default: 30s; prune, reap and backup: no limit)",
      valueName: "duration"),
    transform: DurationText.parse)
  var requestTimeout: Duration?

  func validate() throws {
    guard socket != "" else { throw ValidationError("--socket must not be empty.") }
    guard requestTimeout != .zero else { throw ValidationError("--request-timeout is 1ms or more.") }
  }

  /// What every client of this run is made with.
  ///
  /// - Parameter reconnects: whether the command outlives a restart of the broker.
  func configuration(
    reconnects: Bool = false, workerName: String? = nil
  ) -> JobBrokerClient.Configuration {
    var configuration = JobBrokerClient.Configuration(
      clientName: "jobctl/\(jobBrokerVersion)", reconnects: reconnects)
    if let socket { configuration.socketPath = socket }
    if let workerName { configuration.workerName = workerName }
    if let requestTimeout { configuration.requestTimeout = requestTimeout }
    return configuration
  }

  /// Where the command prints.
  var printer: Printer { Printer(json: json) }
}

extension JobBrokerClient {
  /// Connects.
  ///
  /// - Parameters:
  ///   - neighbour: a client whose event loop is to be shared.
  ///   - waitsForBroker: whether to wait until there is a broker.
  /// - Throws: `NoBroker`, `ValidationError` when the command line can't be right, or the broker's refusal.
  static func connectOrNoBroker(
    _ configuration: Configuration, beside neighbour: JobBrokerClient? = nil, logger: Logger? = nil,
    waitsForBroker: Bool = false
  ) async throws -> JobBrokerClient {
    do {
      return try await connect(
        configuration, eventLoop: neighbour?.eventLoop, logger: logger, waitsForBroker: waitsForBroker)
    } catch {
      switch error.code {
      case .unavailable: throw NoBroker(at: configuration.socketPath, error.message)
      case .permissionDenied:
        throw NoBroker(reason: "\(error.message) (\(error.code.rawValue))", isForOthers: true)
      case .invalidArgument: throw ValidationError(error.message)
      default: throw error
      }
    }
  }
}

/// A command that is one conversation with the broker.
protocol BrokerCommand: AsyncParsableCommand {
  var broker: BrokerOptions { get }
  /// Whether it outlives a restart of the broker.
  static var outlivesBroker: Bool { get }
  /// Whether the broker may rightly take long to answer, the longer the larger its store is.
  static var mayTakeLong: Bool { get }
  func run(_ client: JobBrokerClient, _ printer: Printer) async throws
}

extension BrokerCommand {
  static var outlivesBroker: Bool { false }
  static var mayTakeLong: Bool { false }

  /// What its client is made with.
  var clientConfiguration: JobBrokerClient.Configuration {
    var configuration = broker.configuration(reconnects: Self.outlivesBroker)
    if Self.mayTakeLong, broker.requestTimeout == nil { configuration.requestTimeout = nil }
    return configuration
  }

  func run() async throws {
    // A live picture says itself that the broker is away.
    let logger =
      broker.printer.isLive
      ? nil : Logger(label: "jobctl") { _ in LineLogHandler { StandardStream.error.write($0) } }
    let client = try await JobBrokerClient.connectOrNoBroker(clientConfiguration, logger: logger)
    let outcome: Result<Void, any Error>
    do {
      outcome = .success(try await run(client, broker.printer))
    } catch {
      outcome = .failure(error)
    }
    await client.close()
    try outcome.get()
  }
}

/// The job types a command is about.
struct TypeOption: ParsableArguments {
  @Option(name: .customLong("type"), help: ArgumentHelp("Only jobs of this type.", valueName: "type"))
  var type: String?
}

extension JobStatus: ExpressibleByArgument {}

/// - Throws: `ValidationError` when an option's number of retries or losses can't be.
func requireRetries(_ count: Int, _ option: String) throws {
  guard (0...Limits.retries).contains(count) else {
    throw ValidationError("\(option) is from 0 to \(Limits.retries).")
  }
}

/// The fence of a request that a holder makes by hand.
struct FenceOption: ParsableArguments {
  @Option(help: "Only while the job is held under this attempt; otherwise it is done in any case.")
  var attempt: Int?

  func validate() throws {
    guard attempt.map({ (1...Int(UInt32.max)).contains($0) }) ?? true else {
      throw ValidationError("--attempt is from 1 to \(UInt32.max).")
    }
  }
}
