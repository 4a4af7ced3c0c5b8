import UnixSignals

/// Runs a body that cleans up after itself: SIGINT, SIGTERM and SIGHUP cancel it instead of ending the process. A
/// second signal ends the process all the same.
///
/// - Throws: what the body throws; `ExitCode` 130 after a signal.
func interruptible(_ body: @escaping @Sendable () async throws -> Void) async throws {
  let signals = await UnixSignalsSequence.ofEnding()
  let work = Task { try await body() }
  let interruption = Task {
    var signals = signals.makeAsyncIterator()
    guard await signals.next() != nil else { return }
    work.cancel()
    if await signals.next() != nil { ExitStatus.interrupted.endProcess() }
  }
  defer { interruption.cancel() }
  let result = await work.result
  if work.isCancelled { throw ExitStatus.interrupted.exitCode }
  try result.get()
}
