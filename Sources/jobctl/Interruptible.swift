import UnixSignals

/// Runs a body that cleans up after itself: SIGINT and SIGTERM cancel it instead of ending the process.
///
/// - Throws: what the body throws; `ExitCode` 130 after a signal.
func interruptible(_ body: @escaping @Sendable () async throws -> Void) async throws {
  let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
  try await withThrowingTaskGroup(of: Bool.self) { tasks in
    tasks.addTask {
      try await body()
      return false
    }
    tasks.addTask {
      for await _ in signals { return true }
      return false
    }
    defer { tasks.cancelAll() }
    guard try await tasks.next() == true else { return }
    tasks.cancelAll()
    _ = try? await tasks.next()
    throw ExitStatus.interrupted.exitCode
  }
}
