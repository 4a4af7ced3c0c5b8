/// Writes JSON text (RFC 8259) piece by piece.
struct JSONWriter {
  private(set) var bytes: [UInt8] = []

  /// Text that is JSON already.
  mutating func raw(_ text: StaticString) { bytes.append(contentsOf: text.utf8) }

  mutating func integer(_ value: some BinaryInteger) { bytes.append(contentsOf: String(value).utf8) }

  /// A finite number.
  mutating func real(_ value: Double) { bytes.append(contentsOf: value.description.utf8) }

  /// A string, quoted.
  mutating func string(_ text: String) {
    bytes.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"):
        bytes.append(UInt8(ascii: "\\"))
        bytes.append(byte)
      case 0..<0x20:
        raw(byte < 0x10 ? "\\u000" : "\\u00")
        bytes.append(contentsOf: String(byte, radix: 16).utf8)
      default: bytes.append(byte)
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }

  /// An array of strings, as the text of its JSON: how a list of names becomes one parameter.
  static func array(_ texts: some Sequence<String>) -> String {
    var json = JSONWriter()
    json.raw("[")
    for text in texts {
      if json.bytes.count > 1 { json.raw(",") }
      json.string(text)
    }
    json.raw("]")
    return String(decoding: json.bytes, as: UTF8.self)
  }
}

extension StaticString {
  var utf8: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(start: utf8Start, count: utf8CodeUnitCount) }
}
