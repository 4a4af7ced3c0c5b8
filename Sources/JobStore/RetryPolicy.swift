/// How long a job waits before an automatic retry: exponential backoff with jitter, so that jobs that failed
/// together do not come back together.
public struct RetryPolicy: Sendable, Equatable {
  /// The longest wait before the first retry; it doubles with each retry.
  public var base: Duration
  /// The wait never exceeds this.
  public var cap: Duration

  /// A policy; with no argument, one second that doubles up to five minutes.
  public init(base: Duration = .seconds(1), cap: Duration = .seconds(300)) {
    self.base = base
    self.cap = cap
  }

  /// The part of the longest wait that a job waits: between a half and all of it.
  ///
  /// - Parameter random: uniform in 0..<1.
  public static func share(random: Double) -> Double { 0.5 + random / 2 }
}
