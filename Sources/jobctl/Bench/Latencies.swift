import Glibc
import Histogram

/// How long one kind of request took, over a whole run.
struct Latencies: Sendable {
  private var histogram = Histogram<UInt64>(
    highestTrackableValue: 3_600_000_000_000, numberOfSignificantValueDigits: .three)

  /// Takes in times of at most an hour, in nanoseconds.
  mutating func record(_ nanoseconds: some Sequence<UInt64>) {
    for time in nanoseconds { histogram.record(min(time, 3_600_000_000_000)) }
  }

  var count: UInt64 { histogram.totalCount }
  var median: UInt64 { histogram.valueAtPercentile(50) }
  var p99: UInt64 { histogram.valueAtPercentile(99) }
  var max: UInt64 { histogram.totalCount == 0 ? 0 : histogram.max }

  var json: JSONLine {
    JSONLine {
      $0.add("p50_ns", median)
      $0.add("p99_ns", p99)
      $0.add("max_ns", max)
    }
  }

  /// As cells of a table: the median, the 99th percentile, the longest.
  func cells(for terminal: Terminal) -> [Styled] {
    [median, p99, max].map { Styled(Quantity.latency(nanoseconds: $0, unicode: terminal.hasUnicode)) }
  }
}

/// A clock that never jumps, as cheap to read as there is.
enum MonotonicClock {
  /// Nanoseconds since some moment in the past.
  static var nanoseconds: UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
  }
}
