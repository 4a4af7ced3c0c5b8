#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A moment of the wall clock: whole milliseconds since 1970-01-01T00:00:00Z, as on the wire and in SQL.
public struct Timestamp: Hashable, Sendable, Comparable {
  /// Milliseconds since the Unix epoch.
  public var milliseconds: Int64

  /// A moment from its milliseconds since the Unix epoch.
  public init(milliseconds: Int64) {
    self.milliseconds = milliseconds
  }

  /// The present moment, by the wall clock.
  public static var now: Timestamp {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Timestamp(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
  }

  /// Earlier before later.
  public static func < (a: Timestamp, b: Timestamp) -> Bool { a.milliseconds < b.milliseconds }

  /// The moment `duration` later; a result out of range sticks at the end of the range.
  public static func + (time: Timestamp, duration: Duration) -> Timestamp {
    let (sum, overflow) = time.milliseconds.addingReportingOverflow(duration.milliseconds)
    return Timestamp(milliseconds: overflow ? (duration < .zero ? .min : .max) : sum)
  }

  /// The moment `duration` earlier; a result out of range sticks at the end of the range.
  public static func - (time: Timestamp, duration: Duration) -> Timestamp {
    let (difference, overflow) = time.milliseconds.subtractingReportingOverflow(duration.milliseconds)
    return Timestamp(milliseconds: overflow ? (duration < .zero ? .max : .min) : difference)
  }

  /// How much later this moment is than `other`; a result out of range sticks at the end of the range.
  public static func - (time: Timestamp, other: Timestamp) -> Duration {
    let (difference, overflow) = time.milliseconds.subtractingReportingOverflow(other.milliseconds)
    return .milliseconds(overflow ? (time < other ? .min : .max) : difference)
  }
}

extension Timestamp {
  /// ISO 8601 in UTC with milliseconds: `2026-11-23T20:15:00.123Z`.
  public var iso8601: String {
    var seconds = time_t(milliseconds / 1000)
    var fraction = milliseconds % 1000
    if fraction < 0 {
      fraction += 1000
      seconds -= 1
    }
    var parts = tm()
    gmtime_r(&seconds, &parts)
    func padded(_ value: Int, _ width: Int) -> String {
      let digits = String(value.magnitude)
      return (value < 0 ? "-" : "") + String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
    let date =
      "\(padded(Int(parts.tm_year) + 1900, 4))-\(padded(Int(parts.tm_mon) + 1, 2))-\(padded(Int(parts.tm_mday), 2))"
    let time =
      "\(padded(Int(parts.tm_hour), 2)):\(padded(Int(parts.tm_min), 2)):\(padded(Int(parts.tm_sec), 2))"
    return "\(date)T\(time).\(padded(Int(fraction), 3))Z"
  }
}

extension Duration {
  /// Whole milliseconds, rounded towards zero; a duration out of range sticks at the end of the range.
  public var milliseconds: Int64 {
    let (seconds, attoseconds) = components
    let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1000)
    guard !overflow else { return seconds < 0 ? .min : .max }
    let (sum, overflowed) = whole.addingReportingOverflow(attoseconds / 1_000_000_000_000_000)
    return overflowed ? (seconds < 0 ? .min : .max) : sum
  }
}
