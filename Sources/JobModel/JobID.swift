/// A job's id: the 16 bytes of a UUID.
///
/// Clients make time-ordered ids (version 7, RFC 9562 §5.7), so that a create that is sent twice is one job and
/// neighbouring inserts touch neighbouring index pages. Any UUID is accepted.
public struct JobID: Hashable, Sendable {
  /// The first eight bytes, big-endian.
  public let high: UInt64
  /// The last eight bytes, big-endian.
  public let low: UInt64

  /// An id from its two halves.
  public init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// Parses a UUID's text: 32 hexadecimal digits, with or without dashes, in either case.
  public init?(_ text: some StringProtocol) {
    var halves: (UInt64, UInt64) = (0, 0)
    var digits = 0
    for byte in text.utf8 where byte != UInt8(ascii: "-") {
      guard digits < 32, let value = hexadecimalValue(byte) else { return nil }
      if digits < 16 { halves.0 = halves.0 << 4 | value } else { halves.1 = halves.1 << 4 | value }
      digits += 1
    }
    guard digits == 32 else { return nil }
    self.init(high: halves.0, low: halves.1)
  }

  /// Reads 16 bytes; nil when there are not exactly 16.
  public init?(bytes: UnsafeRawBufferPointer) {
    guard bytes.count == 16 else { return nil }
    self.init(
      high: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self)),
      low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
  }

  /// Calls `body` with the 16 bytes.
  public func withBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
    var bytes = (high.bigEndian, low.bigEndian)
    return try withUnsafeBytes(of: &bytes, body)
  }

  /// A new id of version 7: the present millisecond, then 74 random bits.
  public static func timeOrdered() -> JobID {
    timeOrdered(at: .now, random: (.random(in: 0...UInt64.max), .random(in: 0...UInt64.max)))
  }

  /// An id of version 7 from its parts, for callers with their own clock and randomness.
  public static func timeOrdered(at time: Timestamp, random: (UInt64, UInt64)) -> JobID {
    let milliseconds = UInt64(bitPattern: time.milliseconds) & 0xFFFF_FFFF_FFFF
    return JobID(
      high: milliseconds << 16 | 0x7000 | random.0 & 0x0FFF,
      low: 0x8000_0000_0000_0000 | random.1 & 0x3FFF_FFFF_FFFF_FFFF)
  }
}

extension JobID: Comparable {
  /// Order of the bytes; for version 7 also the order of creation, to the millisecond.
  public static func < (a: JobID, b: JobID) -> Bool { (a.high, a.low) < (b.high, b.low) }
}

extension JobID: CustomStringConvertible {
  /// The usual text of a UUID, in lower case.
  public var description: String {
    let digits = hexadecimal
    var text = ""
    text.reserveCapacity(36)
    for (index, digit) in digits.enumerated() {
      if index == 8 || index == 12 || index == 16 || index == 20 { text.append("-") }
      text.append(digit)
    }
    return text
  }

  /// The 32 hexadecimal digits, in lower case, without dashes.
  public var hexadecimal: String {
    withBytes { bytes in
      String(unsafeUninitializedCapacity: 32) { text in
        for (index, byte) in bytes.enumerated() {
          text[2 * index] = hexadecimalDigit(byte >> 4)
          text[2 * index + 1] = hexadecimalDigit(byte & 15)
        }
        return 32
      }
    }
  }
}

private func hexadecimalValue(_ byte: UInt8) -> UInt64? {
  switch byte {
  case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt64(byte - UInt8(ascii: "0"))
  case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt64(byte - UInt8(ascii: "a") + 10)
  case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt64(byte - UInt8(ascii: "A") + 10)
  default: nil
  }
}

private func hexadecimalDigit(_ value: UInt8) -> UInt8 {
  value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
}
