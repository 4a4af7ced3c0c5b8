import ArgumentParser
import Glibc
import JobBrokerClient

/// Durations as people type them: `250ms`, `10s`, `1h30m`.
enum DurationText {
  /// Reads a duration: whole or decimal numbers, each with a unit, summed up.
  ///
  /// - Throws: `ValidationError`, which ArgumentParser reports with the option's name.
  static func parse(_ text: String) throws -> Duration {
    var rest = Substring(text)
    var total: Duration = .zero
    repeat {
      let number = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
      rest = rest.dropFirst(number.count)
      let unit = rest.prefix { $0.isLetter }
      rest = rest.dropFirst(unit.count)
      guard let value = Double(number), let length = milliseconds(of: unit), value * length < 1e15 else {
        throw ValidationError(
          "A duration is a number with a unit (ms, s, m, h, d), as in 250ms, 10s or 1h30m.")
      }
      total += .milliseconds(Int64((value * length).rounded()))
    } while !rest.isEmpty
    return total
  }

  private static func milliseconds(of unit: Substring) -> Double? {
    switch unit {
    case "ms": 1
    case "s": 1000
    case "m", "min": 60_000
    case "h": 3_600_000
    case "d": 86_400_000
    default: nil
    }
  }
}

/// Moments as people type them: `2026-11-23T20:15:00Z`.
enum MomentText {
  /// Reads a date and time with its offset (RFC 3339): `Z`, or `+01:00`; a fraction of a second is optional.
  ///
  /// - Throws: `ValidationError`.
  static func parse(_ text: String) throws -> Timestamp {
    // 20:15:00 on the day given; what follows is the fraction and the offset.
    let pattern = /(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d):(\d\d))/
    guard let match = text.wholeMatch(of: pattern)?.output,
      let year = Int32(match.1), let month = Int32(match.2), let day = Int32(match.3),
      let hour = Int32(match.4), let minute = Int32(match.5), let second = Int32(match.6),
      exists(year, month, day), hour < 24, minute < 60, second <= 60,
      let offset = minutes(match.8, match.9, match.10)
    else {
      throw ValidationError("A moment is a date and time with an offset, as in 2026-11-23T20:15:00Z.")
    }
    var parts = tm()
    (parts.tm_year, parts.tm_mon, parts.tm_mday) = (year - 1900, month - 1, day)
    (parts.tm_hour, parts.tm_min, parts.tm_sec) = (hour, minute, second)
    var milliseconds = Int64(timegm(&parts)) * 1000
    if let fraction = match.7 {
      milliseconds += Int64(fraction.prefix(3)).map { $0 * [100, 10, 1][min(fraction.count, 3) - 1] } ?? 0
    }
    return Timestamp(milliseconds: milliseconds - offset * 60_000)
  }

  /// Whether the calendar has this day: timegm(3) would take another in its place.
  private static func exists(_ year: Int32, _ month: Int32, _ day: Int32) -> Bool {
    var date = tm()
    (date.tm_year, date.tm_mon, date.tm_mday) = (year - 1900, month - 1, day)
    _ = timegm(&date)
    return date.tm_mon == month - 1 && date.tm_mday == day
  }

  /// An offset in minutes, 0 for `Z`; nil when no clock has it.
  private static func minutes(_ sign: Substring?, _ hours: Substring?, _ minutes: Substring?) -> Int64? {
    guard let sign, let hours, let minutes else { return 0 }
    guard let hours = Int64(hours), let minutes = Int64(minutes), hours < 24, minutes < 60 else { return nil }
    return (sign == "-" ? -1 : 1) * (hours * 60 + minutes)
  }
}
