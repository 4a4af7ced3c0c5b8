/// Reads JSON text (RFC 8259) piece by piece, in the order in which it stands there. What nobody wants is passed over.
struct JSONReader {
  /// What is not the JSON that was expected, and where.
  struct Malformed: Error, CustomStringConvertible {
    var expected: String
    var offset: Int

    var description: String { "no \(expected) at byte \(offset)" }
  }

  /// Values may be nested this deep where they are passed over.
  private static let deepest = 64

  private let bytes: [UInt8]
  private var position = 0

  /// - Throws: When the bytes are not UTF-8. Looked at once for all: for each string it would cost more than the rest.
  init(_ bytes: [UInt8]) throws(Malformed) {
    self.bytes = bytes
    if String(validating: bytes, as: UTF8.self) == nil { throw malformed("UTF-8") }
  }

  init(_ text: String) { bytes = Array(text.utf8) }

  // MARK: Values

  /// Hands each member's name to `member`, which must read or skip its value.
  mutating func object(
    _ member: (inout JSONReader, String) throws(Malformed) -> Void
  ) throws(Malformed) {
    try expect("{", "object")
    if take("}") { return }
    repeat {
      let name = try string()
      try expect(":", "colon")
      try member(&self, name)
    } while take(",")
    try expect("}", "end of an object")
  }

  /// Calls `element`, which must read or skip one value, for each of them.
  mutating func array(_ element: (inout JSONReader) throws(Malformed) -> Void) throws(Malformed) {
    try expect("[", "array")
    if take("]") { return }
    repeat { try element(&self) } while take(",")
    try expect("]", "end of an array")
  }

  mutating func string() throws(Malformed) -> String {
    try expect("\"", "string")
    let start = position
    while position < bytes.count {
      switch bytes[position] {
      case UInt8(ascii: "\""):
        defer { position += 1 }
        return String(decoding: bytes[start..<position], as: UTF8.self)
      case UInt8(ascii: "\\"): return try unescaped(from: start)
      default: position += 1
      }
    }
    throw malformed("string")
  }

  /// A number as it is written.
  mutating func number() throws(Malformed) -> Substring {
    skipSpace()
    let start = position
    while position < bytes.count, Self.isOfNumber(bytes[position]) { position += 1 }
    guard position > start else { throw malformed("number") }
    return Substring(decoding: bytes[start..<position], as: UTF8.self)
  }

  /// Takes `null`, if that is what comes next.
  mutating func isNull() throws(Malformed) -> Bool {
    guard next == UInt8(ascii: "n") else { return false }
    try literal("null")
    return true
  }

  /// Passes over the next value.
  mutating func skip() throws(Malformed) { try skip(depth: 0) }

  /// - Throws: When anything follows.
  mutating func end() throws(Malformed) {
    if next != nil { throw malformed("end") }
  }

  /// The first byte of what comes next; nil at the end.
  var next: UInt8? {
    mutating get {
      skipSpace()
      return position < bytes.count ? bytes[position] : nil
    }
  }

  func malformed(_ expected: String) -> Malformed { Malformed(expected: expected, offset: position) }

  // MARK: Parts of values

  private static func isOfNumber(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."),
      UInt8(ascii: "e"), UInt8(ascii: "E"):
      true
    default: false
    }
  }

  private mutating func skip(depth: Int) throws(Malformed) {
    guard depth < Self.deepest else { throw malformed("value so deep") }
    switch next {
    case UInt8(ascii: "{"): try object { (json, _) throws(Malformed) in try json.skip(depth: depth + 1) }
    case UInt8(ascii: "["): try array { (json) throws(Malformed) in try json.skip(depth: depth + 1) }
    case UInt8(ascii: "\""): _ = try string()
    case UInt8(ascii: "t"): try literal("true")
    case UInt8(ascii: "f"): try literal("false")
    case UInt8(ascii: "n"): try literal("null")
    default: _ = try number()
    }
  }

  private mutating func skipSpace() {
    while position < bytes.count {
      switch bytes[position] {
      case UInt8(ascii: " "), UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: "\t"): position += 1
      default: return
      }
    }
  }

  private mutating func take(_ mark: Unicode.Scalar) -> Bool {
    guard next == UInt8(ascii: mark) else { return false }
    position += 1
    return true
  }

  private mutating func expect(_ mark: Unicode.Scalar, _ what: String) throws(Malformed) {
    guard take(mark) else { throw malformed(what) }
  }

  private mutating func literal(_ word: StaticString) throws(Malformed) {
    let end = position + word.utf8CodeUnitCount
    guard end <= bytes.count, bytes[position..<end].elementsEqual(word.utf8) else { throw malformed("value") }
    position = end
  }

  /// The rest of a string that began at `start`, from its first escape on, with what came before.
  private mutating func unescaped(from start: Int) throws(Malformed) -> String {
    var text = Array(bytes[start..<position])
    while position < bytes.count {
      let byte = bytes[position]
      position += 1
      switch byte {
      case UInt8(ascii: "\""): return String(decoding: text, as: UTF8.self)
      case UInt8(ascii: "\\"): try text.append(contentsOf: escape())
      default: text.append(byte)
      }
    }
    throw malformed("string")
  }

  private mutating func escape() throws(Malformed) -> [UInt8] {
    guard position < bytes.count else { throw malformed("escape") }
    let letter = bytes[position]
    position += 1
    switch letter {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [letter]
    case UInt8(ascii: "b"): return [0x08]
    case UInt8(ascii: "f"): return [0x0C]
    case UInt8(ascii: "n"): return [0x0A]
    case UInt8(ascii: "r"): return [0x0D]
    case UInt8(ascii: "t"): return [0x09]
    case UInt8(ascii: "u"):
      var unit = try codeUnit()
      if (0xD800...0xDBFF).contains(unit) {
        try literal(#"\u"#)
        let low = try codeUnit()
        guard (0xDC00...0xDFFF).contains(low) else { throw malformed("low surrogate") }
        unit = 0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(unit) else { throw malformed("character") }
      return Array(String(Character(scalar)).utf8)
    default: throw malformed("escape")
    }
  }

  private mutating func codeUnit() throws(Malformed) -> UInt32 {
    let end = position + 4
    guard end <= bytes.count,
      let unit = UInt32(String(decoding: bytes[position..<end], as: UTF8.self), radix: 16),
      bytes[position] != UInt8(ascii: "+"), bytes[position] != UInt8(ascii: "-")
    else { throw malformed("four hexadecimal digits") }
    position = end
    return unit
  }
}
