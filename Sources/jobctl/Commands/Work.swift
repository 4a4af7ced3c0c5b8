import ArgumentParser
import Glibc
import JobBrokerClient
import Logging
import ServiceLifecycle
import UnixSignals

struct Work: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Work on jobs by running a program for each.",
    discussion: """
      The program finds the job's metadata, a JSON object, on its standard input, and JOB_ID, JOB_TYPE and \
      JOB_ATTEMPT in its environment. On its standard output
        ::stage NAME        says what it is doing,
        ::progress NUMBER   says how far that is, 0-100,
      and the last line that is a JSON object is the job's result.
      Exit status 0 completes the job, 75 (EX_TEMPFAIL) fails it so that it is tried again, any other fails it. \
      The job's error is then how the program ended, and the last 4 KiB of its standard error.

      When the job is cancelled or lost, the program and all it started get SIGTERM, after --kill-grace SIGKILL.
      SIGTERM, SIGHUP or Ctrl-C: finish the current jobs, for at most --grace, then give them back. A second one: \
      give them back at once.

      Examples:
        jobctl work --type ingest -- ./ingest.sh
        jobctl work --type preview --type save --concurrency 4 -- ./work.py --fast
        jobctl work --type echo -- sh -c 'echo "::stage thinking"; cat'
      """)

  @OptionGroup var broker: BrokerOptions

  @Option(
    name: .customLong("type"),
    help: ArgumentHelp("Only jobs of this type; repeat it for more.", valueName: "type"))
  var types: [String] = []

  @Option(help: "How many jobs to work on at a time.")
  var concurrency = 1

  @Option(help: "The name under which this worker is shown.")
  var name: String?

  @Option(
    help: ArgumentHelp(
      "How long a job stays claimed when this worker falls silent. (default: 30s)", valueName: "duration"),
    transform: DurationText.parse)
  var lease: Duration = ClaimRequest.defaultLease

  @Option(
    help: ArgumentHelp(
      "How long the current jobs may go on after SIGTERM. (default: 30s)", valueName: "duration"),
    transform: DurationText.parse)
  var grace: Duration = .seconds(30)

  @Option(
    help: ArgumentHelp(
      "How long a program has between SIGTERM and SIGKILL. (default: 5s)", valueName: "duration"),
    transform: DurationText.parse)
  var killGrace: Duration = .seconds(5)

  @Flag(name: .shortAndLong, help: "Show the standard error of the programs.")
  var verbose = false

  @Argument(
    parsing: .postTerminator, help: ArgumentHelp("The program and its arguments.", valueName: "program"),
    completion: .file())
  var command: [String] = []

  func validate() throws {
    guard let program = command.first else {
      throw ValidationError("Name a program after `--`, as in: jobctl work --type ingest -- ./ingest.sh")
    }
    guard Work.isExecutable(program) else {
      throw ValidationError("\(program) is no program that can be run.")
    }
    guard concurrency >= 1 else { throw ValidationError("--concurrency is 1 or more.") }
    guard Limits.lease.contains(lease) else { throw ValidationError("--lease is from 10ms to 7d.") }
  }

  func run() async throws {
    DescriptorLimit.raise()
    let printer = WorkPrinter(json: broker.json)
    defer { printer.finish() }
    var logger = Logger(label: "jobctl") { _ in LineLogHandler { printer.errors.write($0) } }
    if verbose { logger.logLevel = .info }
    // Trapped before the first job, so that no signal finds this process without an answer.
    let signals = await UnixSignalsSequence.ofEnding()
    let configuration = broker.configuration(reconnects: true, workerName: name)

    try await Watchdog.guarding { watchdog in
      let (faults, fault) = AsyncStream<ProgramFault>.makeStream()
      let handler = ProgramHandler(
        command: command, killGrace: killGrace, diagnostics: verbose ? printer.errors : nil,
        watchdog: watchdog,
        onFault: {
          fault.yield($0)
          try? await gracefulShutdown()
        }, onEnd: { printer.print($0) })
      let worker = ConnectingWorker(configuration: configuration, printer: printer, logger: logger) {
        [logger] client in
        Worker(
          client: client, types: types, concurrency: concurrency, lease: lease, gracePeriod: grace,
          logger: logger, handler: { try await handler.run($0) })
      }
      try await serve(ServiceGroup(services: [worker], logger: logger), until: signals, faults, printer)
    }
  }

  /// Runs until the worker ends: gracefully after the first signal or a fault, at once after the second signal.
  ///
  /// - Throws: the first fault.
  private func serve(
    _ group: ServiceGroup, until signals: UnixSignalsSequence, _ faults: AsyncStream<ProgramFault>,
    _ printer: WorkPrinter
  ) async throws {
    let fault = Task {
      let fault = await faults.first { _ in true }
      if fault != nil { await group.triggerGracefulShutdown() }
      return fault
    }
    defer { fault.cancel() }
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      tasks.addTask { try await group.run() }
      tasks.addTask {
        var signals = signals.makeAsyncIterator()
        guard await signals.next() != nil else { return }
        printer.note("finishing the current jobs; once more to stop at once")
        await group.triggerGracefulShutdown()
        _ = await signals.next()
      }
      defer { tasks.cancelAll() }
      try await tasks.next()
    }
    fault.cancel()
    if let fault = await fault.value { throw fault }
  }

  /// Whether execvp(3) would find a program of this name.
  static func isExecutable(_ program: String, path: String = searchPath) -> Bool {
    guard !program.contains("/") else { return isExecutableFile(program) }
    return path.split(separator: ":").contains { isExecutableFile("\($0)/\(program)") }
  }

  static var searchPath: String {
    getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
  }

  /// access(2) alone would have directories, too.
  private static func isExecutableFile(_ path: String) -> Bool {
    var status = stat()
    return access(path, X_OK) == 0 && stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
  }
}

/// A worker that waits for a broker that is not there yet, unless it is to stop before there is one.
private struct ConnectingWorker: Service {
  var configuration: JobBrokerClient.Configuration
  var printer: WorkPrinter
  var logger: Logger
  var worker: @Sendable (JobBrokerClient) -> Worker

  func run() async throws {
    let client: JobBrokerClient
    do {
      client = try await cancelWhenGracefulShutdown { try await connect() }
    } catch {
      if Task.isShuttingDownGracefully || Task.isCancelled { return }
      throw error
    }
    try await worker(client).run()
    await client.close()
  }

  private func connect() async throws -> JobBrokerClient {
    do {
      return try await JobBrokerClient.connectOrNoBroker(configuration, logger: logger)
    } catch let error as NoBroker where !error.isForOthers {
      printer.note("waiting for a broker at \(configuration.socketPath): \(error.reason)")
    }
    return try await JobBrokerClient.connectOrNoBroker(configuration, logger: logger, waitsForBroker: true)
  }
}
