/// Waits between tries: longer each time, with jitter, so that brokers do not come back in step.
struct Backoff {
  private static let shortest: Duration = .milliseconds(20)
  private static let longest: Duration = .seconds(2)

  private let end: ContinuousClock.Instant
  private var next = shortest

  /// - Parameter patience: How long there may be tries.
  init(patience: Duration) { end = .now + patience }

  /// Waits; false, at once, when the next try would come too late.
  mutating func wait() async -> Bool {
    let pause = next * Double.random(in: 0.5...1)
    next = min(next * 2, Self.longest)
    guard .now + pause < end else { return false }
    do { try await Task.sleep(for: pause) } catch { return false }
    return true
  }
}
