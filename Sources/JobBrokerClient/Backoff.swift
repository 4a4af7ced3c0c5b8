/// How long to wait before the next try: a random time ("full jitter") below a ceiling that grows with each
/// failure, so that many clients of a broker that restarts do not all come back at the same moment.
public struct Backoff: Sendable, Equatable {
  /// The ceiling before the first retry.
  public var initial: Duration
  /// How much each failure raises the ceiling; 1 or more.
  public var factor: Double
  /// The highest ceiling.
  public var maximum: Duration

  /// A backoff; with no argument 50 ms, doubled up to 5 s.
  public init(initial: Duration = .milliseconds(50), factor: Double = 2, maximum: Duration = .seconds(5)) {
    self.initial = initial
    self.factor = factor
    self.maximum = maximum
  }

  /// The ceiling after `failures` failures in a row.
  func ceiling(afterFailures failures: Int) -> Duration {
    var ceiling = initial
    for _ in 1..<max(failures, 1) {
      guard ceiling < maximum else { break }
      ceiling = ceiling * factor
    }
    return min(ceiling, maximum)
  }

  /// A random time up to the ceiling.
  func delay(afterFailures failures: Int) -> Duration {
    ceiling(afterFailures: failures) * Double.random(in: 0...1)
  }
}
