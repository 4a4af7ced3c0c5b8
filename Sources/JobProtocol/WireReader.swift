/// Reads the fields of one protobuf message from its bytes, without knowing what they mean.
/// See https://protobuf.dev/programming-guides/encoding/.
struct WireReader {
  /// How a field's value is written.
  enum WireType: UInt8 {
    case varint = 0
    case fixed64 = 1
    case bytes = 2
    case fixed32 = 5
  }

  /// A field as it stands in the message.
  struct Field {
    var number: UInt32
    var wireType: WireType
    /// The value of a varint.
    var varint: UInt64 = 0
    /// The value of a field of bytes: a string, bytes or a message.
    var bytes = UnsafeRawBufferPointer(start: nil, count: 0)
  }

  private let message: UnsafeRawBufferPointer
  private(set) var offset = 0

  init(_ message: UnsafeRawBufferPointer) { self.message = message }

  var isAtEnd: Bool { offset == message.count }

  /// The next field; nil when there is none or the bytes are no protobuf. Groups, which protobuf has abandoned,
  /// count as none.
  mutating func next() -> Field? {
    // As protobuf-c, which reads tags and lengths of at most five bytes.
    guard let tag = varint(maximumLength: 5), let number = UInt32(exactly: tag >> 3), number > 0,
      let wireType = WireType(rawValue: UInt8(truncatingIfNeeded: tag & 7))
    else { return nil }
    var field = Field(number: number, wireType: wireType)
    switch wireType {
    case .varint:
      guard let value = varint(maximumLength: 10) else { return nil }
      field.varint = value
    case .fixed64:
      guard take(8) != nil else { return nil }
    case .fixed32:
      guard take(4) != nil else { return nil }
    case .bytes:
      guard let length = varint(maximumLength: 5), length <= UInt64(message.count - offset),
        let bytes = take(Int(length))
      else { return nil }
      field.bytes = bytes
    }
    return field
  }

  private mutating func varint(maximumLength: Int) -> UInt64? {
    var value: UInt64 = 0
    for position in 0..<min(maximumLength, message.count - offset) {
      let byte = message[offset + position]
      value |= UInt64(byte & 0x7F) << (7 * UInt64(position))
      if byte < 0x80 {
        offset += position + 1
        return value
      }
    }
    return nil
  }

  private mutating func take(_ count: Int) -> UnsafeRawBufferPointer? {
    guard count <= message.count - offset else { return nil }
    defer { offset += count }
    return UnsafeRawBufferPointer(rebasing: message[offset..<offset + count])
  }
}
