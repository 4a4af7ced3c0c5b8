import JobBrokerClient

/// Tells whether a text is a JSON object (RFC 8259), without making anything of it.
struct JSONText {
  /// What a text is.
  enum Kind {
    case object
    /// It begins like an object, and more is nested in it than `Limits.depth` allows.
    case tooDeep
    case other
  }

  private var rest: Substring.UTF8View
  /// Objects and lists that have begun and not ended.
  private var depth = 0

  private init(_ text: String) {
    rest = Substring(text).utf8
  }

  /// What the text is, white space around it allowed.
  static func kind(of text: String) -> Kind {
    var scanner = JSONText(text)
    scanner.skipSpace()
    guard scanner.rest.first == UInt8(ascii: "{") else { return .other }
    guard scanner.skipValue() else { return scanner.depth > Limits.depth ? .tooDeep : .other }
    scanner.skipSpace()
    return scanner.rest.isEmpty ? .object : .other
  }

  /// Whether the text is one JSON object, white space around it allowed.
  static func isObject(_ text: String) -> Bool { kind(of: text) == .object }

  private mutating func skipValue() -> Bool {
    switch rest.first {
    case UInt8(ascii: "{"):
      return skipList(closing: UInt8(ascii: "}")) {
        guard $0.skipString() else { return false }
        $0.skipSpace()
        guard $0.skip(UInt8(ascii: ":")) else { return false }
        $0.skipSpace()
        return $0.skipValue()
      }
    case UInt8(ascii: "["):
      return skipList(closing: UInt8(ascii: "]")) { $0.skipValue() }
    case UInt8(ascii: "\""): return skipString()
    case UInt8(ascii: "t"): return skip(word: "true")
    case UInt8(ascii: "f"): return skip(word: "false")
    case UInt8(ascii: "n"): return skip(word: "null")
    default: return skipNumber()
    }
  }

  private mutating func skipList(closing end: UInt8, _ element: (inout JSONText) -> Bool) -> Bool {
    rest = rest.dropFirst()
    depth += 1
    guard depth <= Limits.depth else { return false }
    skipSpace()
    if skip(end) { return leave() }
    while true {
      guard element(&self) else { return false }
      skipSpace()
      if skip(end) { return leave() }
      guard skip(UInt8(ascii: ",")) else { return false }
      skipSpace()
    }
  }

  private mutating func leave() -> Bool {
    depth -= 1
    return true
  }

  private mutating func skipString() -> Bool {
    guard skip(UInt8(ascii: "\"")) else { return false }
    while let byte = rest.popFirst() {
      switch byte {
      case UInt8(ascii: "\""): return true
      case ..<0x20: return false
      case UInt8(ascii: "\\"): guard skipEscape() else { return false }
      default: continue
      }
    }
    return false
  }

  private mutating func skipEscape() -> Bool {
    guard let byte = rest.popFirst() else { return false }
    guard byte == UInt8(ascii: "u") else { return "\"\\/bfnrt".utf8.contains(byte) }
    let digits = rest.prefix(4)
    rest = rest.dropFirst(4)
    return digits.count == 4 && digits.allSatisfy { Character(Unicode.Scalar($0)).isHexDigit }
  }

  private mutating func skipNumber() -> Bool {
    _ = skip(UInt8(ascii: "-"))
    if !skip(UInt8(ascii: "0")) { guard skipDigits() else { return false } }
    if skip(UInt8(ascii: ".")) { guard skipDigits() else { return false } }
    if skip(UInt8(ascii: "e")) || skip(UInt8(ascii: "E")) {
      if !skip(UInt8(ascii: "+")) { _ = skip(UInt8(ascii: "-")) }
      return skipDigits()
    }
    return true
  }

  private mutating func skipDigits() -> Bool {
    let digits = rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    rest = rest.dropFirst(digits.count)
    return !digits.isEmpty
  }

  private mutating func skip(word: StaticString) -> Bool {
    for byte in UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount) {
      guard skip(byte) else { return false }
    }
    return true
  }

  private mutating func skip(_ byte: UInt8) -> Bool {
    guard rest.first == byte else { return false }
    rest = rest.dropFirst()
    return true
  }

  private mutating func skipSpace() {
    rest = rest.drop { $0 == 0x20 || $0 == 0x0A || $0 == 0x0D || $0 == 0x09 }
  }
}
