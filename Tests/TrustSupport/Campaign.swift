import Foundation

/// What `make trust` may ask of a test: how much, and from which seed on.
public enum CampaignSize {
  /// A number from the environment, or what is enough for `make test`.
  public static func number(_ variable: String, short: Int) -> Int {
    ProcessInfo.processInfo.environment[variable].flatMap(Int.init) ?? short
  }

  /// A seed from the environment, or the one that `make test` begins with.
  public static func seed(_ variable: String, short: UInt64) -> UInt64 {
    ProcessInfo.processInfo.environment[variable].flatMap(UInt64.init) ?? short
  }
}

/// What a campaign came to: a line of the table that `make trust` prints. It finds it in the output of the test, so
/// a campaign that says nothing has failed.
public struct CampaignOutcome {
  private let cells: [String]

  /// - Parameters:
  ///   - promise: What was put to the test.
  ///   - done: What was done to break it.
  ///   - count: How often, with what is counted.
  ///   - violations: How often it was broken.
  ///   - seed: What the run follows from; `-` when it follows from nothing.
  public init(promise: String, done: String, count: String, violations: Int, seed: String = "-") {
    cells = [promise, done, count, "\(violations)", seed]
  }

  /// Says it on standard output, and at once: a test that crashes later has still said it.
  public func report() {
    print((["trust"] + cells).joined(separator: " | "))
    fflush(nil)
  }
}
