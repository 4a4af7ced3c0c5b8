/// Whether bytes can be a `string` of the protocol: UTF-8 without NUL.
enum TextCheck {
  case sound
  case containsNUL
  case notUTF8

  init(_ bytes: UnsafeRawBufferPointer) {
    let highBits: UInt64 = 0x8080_8080_8080_8080
    let lowBits: UInt64 = 0x0101_0101_0101_0101
    var isASCII = true
    var offset = 0
    while offset + 8 <= bytes.count {
      let word = bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
      // The classic test for a zero byte: only a byte that is 0 borrows into its own, formerly clear, high bit.
      if (word &- lowBits) & ~word & highBits != 0 {
        self = .containsNUL
        return
      }
      if word & highBits != 0 { isASCII = false }
      offset += 8
    }
    while offset < bytes.count {
      if bytes[offset] == 0 {
        self = .containsNUL
        return
      }
      if bytes[offset] >= 0x80 { isASCII = false }
      offset += 1
    }
    self = isASCII || TextCheck.isUTF8(bytes) ? .sound : .notUTF8
  }

  private static func isUTF8(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.withMemoryRebound(to: UInt8.self) { bytes in
      (try? UTF8Span(validating: bytes.span)) != nil
    }
  }
}
