import UnixSignals

/// Runs a body that cleans up after itself: SIGINT, SIGTERM and SIGHUP cancel it instead of ending the process. A
/// second signal ends the process all the same.
///
/// - Throws: what the body throws; `ExitCode` 128 + its number after a signal.
func interruptible(_ body: @escaping @Sendable () async throws -> Void) async throws {
  let signals = await UnixSignalsSequence.ofEnding()
  let work = Task { try await body() }
  let interruption = Task {
    var signals = signals.makeAsyncIterator()
    let first = await signals.next()
    guard first != nil else { return first }
    work.cancel()
    if let second = await signals.next() { ExitStatus.ended(by: second).endProcess() }
    return first
  }
  let result = await work.result
  interruption.cancel()
  if let signal = await interruption.value { throw ExitStatus.ended(by: signal).exitCode }
  try result.get()
}
