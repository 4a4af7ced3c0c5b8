import Glibc
import Subprocess

/// A program that runs once, in a process group of its own, and of which nothing is left afterwards.
struct ChildProcess: Sendable {
  /// The program, looked up in PATH unless it has a slash, and its arguments.
  var command: [String]
  /// Added to this process's environment.
  var environment: [String: String] = [:]
  /// What it finds on its standard input. It need not read it.
  var input: [UInt8] = []
  /// How long it and what it started have between SIGTERM and SIGKILL.
  var grace: Duration = .seconds(5)

  /// How it ended.
  struct Ending<Output: Sendable, Errors: Sendable>: Sendable {
    var status: TerminationStatus
    /// The group it ran in, now without a process.
    var group: ProcessGroup
    /// Whether it was told to stop before it ended by itself.
    var wasStopped: Bool
    /// What the readers of its standard output and standard error made of them.
    var output: Output
    var errors: Errors
  }

  /// Reads what the program writes, no faster than it likes, to the end.
  typealias Reader<Result: Sendable> = @Sendable (SubprocessOutputSequence) async -> Result

  /// Runs the program to its end. When this task is cancelled, the whole group is sent SIGTERM, and SIGKILL after
  /// the grace. Either way this returns only when no process of the group is left.
  ///
  /// - Parameter onStart: called with the group as soon as the program runs.
  /// - Throws: `SubprocessError` when it can't be started.
  func run<Output, Errors>(
    onStart: @escaping @Sendable (ProcessGroup) async -> Void = { _ in },
    output: @escaping Reader<Output>, errors: @escaping Reader<Errors>
  ) async throws -> Ending<Output, Errors> {
    let (stop, stopping) = AsyncStream<Void>.makeStream()
    // A task of its own: a cancelled one could neither read the last words of the program nor wait for its death.
    let supervision = Task {
      try await supervise(stop: stop, onStart: onStart, output: output, errors: errors)
    }
    return try await withTaskCancellationHandler {
      try await supervision.value
    } onCancel: {
      stopping.finish()
    }
  }

  private func supervise<Output, Errors>(
    stop: AsyncStream<Void>, onStart: @escaping @Sendable (ProcessGroup) async -> Void,
    output: @escaping Reader<Output>, errors: @escaping Reader<Errors>
  ) async throws -> Ending<Output, Errors> {
    let (started, starting) = AsyncStream<ProcessGroup>.makeStream()
    let stopper = Task { await self.stopper(stop: stop, started: started) }
    defer { stopper.cancel() }

    let result = try await launch(output: output, errors: errors) { group in
      starting.yield(group)
      await onStart(group)
    }
    stopper.cancel()
    let killTime = await stopper.value
    let group = ProcessGroup(id: result.processIdentifier.value)
    await group.end(grace: killTime.map { $0 - .now } ?? grace, isTerminated: killTime != nil)
    return Ending(
      status: result.terminationStatus, group: group, wasStopped: killTime != nil,
      output: result.closureResult.output, errors: result.closureResult.errors)
  }

  /// Waits until the program is to stop, then sends its group SIGTERM, and SIGKILL after the grace. Cancelled when
  /// the program has ended.
  ///
  /// - Returns: when the grace ends; nil when the program was not told to stop.
  private func stopper(
    stop: AsyncStream<Void>, started: AsyncStream<ProcessGroup>
  ) async -> ContinuousClock.Instant? {
    guard let group = await started.first(where: { _ in true }) else { return nil }
    for await _ in stop {}
    guard !Task.isCancelled else { return nil }
    group.signal(SIGTERM)
    let killTime = ContinuousClock.now + grace
    try? await Task.sleep(until: killTime)
    if !Task.isCancelled { group.signal(SIGKILL) }
    return killTime
  }

  private func launch<Output, Errors>(
    output: @escaping Reader<Output>, errors: @escaping Reader<Errors>,
    onStart: @Sendable (ProcessGroup) async -> Void
  ) async throws -> ExecutionResult<(output: Output, errors: Errors), SequenceOutput, SequenceOutput> {
    BrokenPipe.ignore()
    var options = PlatformOptions()
    options.processGroupID = 0
    let changes = environment.compactMap { name, value in Environment.Key(rawValue: name).map { ($0, value) }
    }
    return try await Subprocess.run(
      ChildProcess.executable(command[0]), arguments: Arguments(Array(command.dropFirst())),
      environment: .inherit.updating(Dictionary(changes) { _, later in later }),
      platformOptions: options, input: .inputWriter, output: .sequence, error: .sequence
    ) { execution in
      await onStart(ProcessGroup(id: execution.processIdentifier.value))
      async let errorResult = errors(execution.standardError)
      async let written: Void = write(to: execution.standardInputWriter)
      let outputResult = await output(execution.standardOutput)
      await written
      return (output: outputResult, errors: await errorResult)
    }
  }

  /// A program that closes its standard input, or ends without having read it, has had enough: no error.
  private func write(to writer: StandardInputWriter) async {
    _ = try? await writer.write(input)
    try? await writer.finish()
  }

  private static func executable(_ name: String) -> Executable {
    name.contains("/") ? .path(.init(name)) : .name(name)
  }
}

/// A write to a program that has closed its standard input is to fail, not to kill this process.
enum BrokenPipe {
  private static let ignored: Void = { _ = signal(SIGPIPE, SIG_IGN) }()

  /// Ignores SIGPIPE in this process; programs it starts begin with the usual effect of the signal again.
  static func ignore() { ignored }
}
