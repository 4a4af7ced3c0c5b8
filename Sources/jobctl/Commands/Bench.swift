import ArgumentParser
import JobBrokerClient

struct Bench: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure the broker, and check that it gives each job out exactly once.",
    discussion: """
      A closed loop over --clients connections: half of them create, half claim and complete. The jobs are of a type \
      of their own and are removed afterwards, if this user may prune. Exit status 1 unless each job was claimed and \
      completed exactly once.

      With --durability a broker of its own, with an empty store, is started for the run; otherwise the broker at \
      --socket is measured.

      Examples:
        jobctl bench --clients 64 --jobs 100000 --durability full
        jobctl bench --wake --jobs 2000
      """)

  @OptionGroup var broker: BrokerOptions

  @Option(help: "Connections, 2 or more. (default: 16)")
  var clients: Int?

  @Option(help: "Jobs.")
  var jobs = 20_000

  @Option(help: ArgumentHelp("Bytes of metadata.", valueName: "bytes"))
  var payload = 256

  @Option(help: "Start a broker for the run: full survives a power cut, relaxed a crash of the broker.")
  var durability: Durability?

  @Option(
    help: ArgumentHelp("Where the files of that broker go. (default: /var/tmp)", valueName: "path"),
    completion: .directory)
  var directory: String?

  @Flag(help: "Measure how soon a blocked worker has a new job, instead.")
  var wake = false

  @Flag(help: "Leave the jobs where they are.")
  var keep = false

  private var connectionCount: Int { wake ? 2 : clients ?? 16 }

  func validate() throws {
    guard (2...10_000).contains(connectionCount) else {
      throw ValidationError("--clients is from 2 to 10000.")
    }
    guard (1...100_000_000).contains(jobs) else { throw ValidationError("--jobs is from 1 to 100000000.") }
    guard (0...Limits.payload).contains(payload) else {
      throw ValidationError("--payload is from 0 to \(Limits.payload).")
    }
    guard !wake || clients == nil else { throw ValidationError("--wake has two connections, not --clients.") }
    if durability == nil {
      guard directory == nil else { throw ValidationError("--directory is for the broker of --durability.") }
    } else {
      guard broker.socket == nil else {
        throw ValidationError("--durability starts a broker; --socket names one that is there.")
      }
      guard !keep else {
        throw ValidationError("--keep has nothing to keep: the broker of --durability goes with its jobs.")
      }
    }
  }

  func run() async throws {
    guard let durability else { return try await interruptible { try await measure(at: nil) } }
    try await PrivateBroker(durability: durability, directory: directory ?? "/var/tmp").run {
      try await measure(at: $0)
    }
  }

  /// What a run came to, to be printed when its jobs are gone.
  private struct Outcome {
    var text: String
    var isGood = true
  }

  /// - Parameter socketPath: where the broker is, when it is not the one that the options name.
  private func measure(at socketPath: String?) async throws {
    var configuration = broker.configuration()
    if let socketPath { configuration.socketPath = socketPath }
    let jobs = BenchJobs(count: self.jobs, payload: payload)
    let connections = try await connect(configuration, jobs.type)
    let outcome: Result<Outcome, any Error>
    do {
      outcome = .success(
        wake ? try await measureWakeUp(jobs, connections) : try await measureLoad(jobs, connections))
    } catch {
      outcome = .failure(error)
    }
    for connection in connections.dropFirst() { await connection.close() }
    // The jobs of a broker of our own go with it.
    if !keep, socketPath == nil { await clean(jobs, connections[0]) }
    await connections[0].close()
    let result = try outcome.get()
    StandardStream.output.write(result.text)
    guard result.isGood else { throw ExitStatus.refused.exitCode }
  }

  private func measureLoad(_ jobs: BenchJobs, _ connections: [JobBrokerClient]) async throws -> Outcome {
    let before = try await connections[0].stats()
    let measured = try await BenchLoad(jobs: jobs).run(connections)
    let after = try await connections[0].stats()
    let report = BenchReport(
      clients: connections.count, jobs: jobs.count, payload: payload, durability: durability,
      measured: measured,
      brokerCPU: after.cpu - before.cpu, commits: after.commits - before.commits)
    let printer = broker.printer
    return Outcome(
      text: printer.json ? report.json.text + "\n" : report.text(for: printer.terminal),
      isGood: report.isExact)
  }

  private func measureWakeUp(_ jobs: BenchJobs, _ connections: [JobBrokerClient]) async throws -> Outcome {
    let measured = try await WakeUp(jobs: jobs).run(producer: connections[0], worker: connections[1])
    let printer = broker.printer
    var table = Table(.left("A BLOCKED WORKER HAS THE JOB"), .right("p50"), .right("p99"), .right("max"))
    table.rows = [
      [Styled("after the create's reply")] + measured.afterReply.cells(for: printer.terminal),
      [Styled("after the create's request")] + measured.afterRequest.cells(for: printer.terminal),
    ]
    guard printer.json else { return Outcome(text: table.rendered(for: printer.terminal)) }
    let line = JSONLine {
      $0.add("jobs", jobs.count)
      $0.add("durability", durability?.rawValue)
      $0.add("after_reply", measured.afterReply.json)
      $0.add("after_request", measured.afterRequest.json)
    }
    return Outcome(text: line.text + "\n")
  }

  /// Connects all clients on one event loop, each under a name of its own.
  private func connect(
    _ configuration: JobBrokerClient.Configuration, _ name: String
  ) async throws -> [JobBrokerClient] {
    var connections: [JobBrokerClient] = []
    for index in 0..<connectionCount {
      var configuration = configuration
      configuration.workerName = "\(name)-\(index)"
      connections.append(
        try await .connectOrNoBroker(configuration, beside: connections.first))
    }
    return connections
  }

  private func clean(_ jobs: BenchJobs, _ client: JobBrokerClient) async {
    // A task of its own, for this one may have been cancelled.
    let cleaning = Task {
      try await jobs.cancelUnfinished(client)
      while try await client.prune(olderThan: .zero, type: jobs.type) > 0 {}
    }
    if case .failure(let error) = await cleaning.result {
      let reason = (error as? JobError)?.message ?? "\(error)"
      broker.printer.note("jobs of type \(jobs.type) remain: \(reason)")
    }
  }
}
