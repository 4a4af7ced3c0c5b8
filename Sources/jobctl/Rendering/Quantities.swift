import JobBrokerClient

/// Numbers, times and durations in words.
enum Quantity {
  /// A number with a fixed number of decimals, 0–9.
  static func fixed(_ value: Double, decimals: Int) -> String {
    guard value.isFinite, abs(value) < 1e9 else { return "\(value)" }
    let scale = (0..<decimals).reduce(1) { power, _ in power * 10 }
    let scaled = Int64((abs(value) * Double(scale)).rounded())
    let sign = value < 0 && scaled > 0 ? "-" : ""
    guard decimals > 0 else { return "\(sign)\(scaled)" }
    let fraction = String(scaled % Int64(scale))
    let zeros = String(repeating: "0", count: decimals - fraction.count)
    return "\(sign)\(scaled / Int64(scale)).\(zeros)\(fraction)"
  }

  /// A whole number in groups of three: 1,234,567.
  static func grouped(_ value: Int) -> String {
    let digits = String(value.magnitude)
    var text = ""
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index) % 3 == 0 { text.append(",") }
      text.append(digit)
    }
    return value < 0 ? "-\(text)" : text
  }

  /// Bytes: 812 B, 1.5 KiB, 24.0 MiB.
  static func bytes(_ count: Int) -> String {
    switch count {
    case ..<1024: "\(count) B"
    case ..<(1 << 20): "\(fixed(Double(count) / 1024, decimals: 1)) KiB"
    case ..<(1 << 30): "\(fixed(Double(count) / Double(1 << 20), decimals: 1)) MiB"
    default: "\(fixed(Double(count) / Double(1 << 30), decimals: 1)) GiB"
    }
  }

  /// A duration in its two largest units: 850 ms, 3.2 s, 2 min 05 s, 1 h 02 min, 3 d 04 h.
  static func duration(_ duration: Duration) -> String {
    let milliseconds = max(duration.milliseconds, 0)
    let seconds = milliseconds / 1000
    func pair(_ large: Int64, _ largeUnit: String, _ small: Int64, _ smallUnit: String) -> String {
      "\(large) \(largeUnit) \(small < 10 ? "0" : "")\(small) \(smallUnit)"
    }
    return switch seconds {
    case 0: "\(milliseconds) ms"
    case ..<60: "\(seconds).\(milliseconds % 1000 / 100) s"
    case ..<3600: pair(seconds / 60, "min", seconds % 60, "s")
    case ..<86_400: pair(seconds / 3600, "h", seconds / 60 % 60, "min")
    default: pair(seconds / 86_400, "d", seconds / 3600 % 24, "h")
    }
  }

  /// A moment as seen from another: now, 3 s ago, in 5 min.
  static func relative(_ time: Timestamp, to now: Timestamp) -> String {
    let seconds = (now - time).milliseconds / 1000
    let text =
      switch seconds.magnitude {
      case 0: "now"
      case ..<60: "\(seconds.magnitude) s"
      case ..<3600: "\(seconds.magnitude / 60) min"
      case ..<172_800: "\(seconds.magnitude / 3600) h"
      default: "\(seconds.magnitude / 86_400) d"
      }
    return seconds == 0 ? text : seconds > 0 ? "\(text) ago" : "in \(text)"
  }

  /// A latency given in nanoseconds: 87 µs, 1.25 ms, 2.10 s.
  static func latency(nanoseconds: UInt64, unicode: Bool) -> String {
    switch nanoseconds {
    case ..<1_000_000:
      "\(fixed(Double(nanoseconds) / 1e3, decimals: nanoseconds < 100_000 ? 1 : 0)) \(microseconds(unicode))"
    case ..<1_000_000_000: "\(fixed(Double(nanoseconds) / 1e6, decimals: 2)) ms"
    default: "\(fixed(Double(nanoseconds) / 1e9, decimals: 2)) s"
    }
  }

  /// Their unit.
  static func microseconds(_ unicode: Bool) -> String { unicode ? "µs" : "us" }

  /// A share: 42 %.
  static func percent(_ progress: Double) -> String { "\(fixed(progress, decimals: 0)) %" }
}

extension Duration {
  /// As a number of seconds, for arithmetic on rates.
  var inSeconds: Double {
    let (seconds, attoseconds) = components
    return Double(seconds) + Double(attoseconds) / 1e18
  }
}
