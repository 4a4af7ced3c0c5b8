/// As much of protobuf as the broker's frames need.
enum Protobuf {
  static func varint(_ value: UInt64, to output: inout [UInt8]) {
    var rest = value
    while rest > 0x7F {
      output.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    output.append(UInt8(rest))
  }

  static func field(_ number: UInt64, _ value: UInt64, to output: inout [UInt8]) {
    varint(number << 3, to: &output)
    varint(value, to: &output)
  }

  static func field(_ number: UInt64, _ bytes: some Collection<UInt8>, to output: inout [UInt8]) {
    varint(number << 3 | 2, to: &output)
    varint(UInt64(bytes.count), to: &output)
    output.append(contentsOf: bytes)
  }

  enum Value {
    case number(UInt64)
    /// Where its bytes are.
    case bytes(Range<Int>)
  }

  /// Reads the field at an offset and moves the offset behind it.
  static func next(
    _ message: UnsafeRawBufferPointer, at offset: inout Int
  ) throws -> (number: UInt64, value: Value)? {
    guard offset < message.count else { return nil }
    let key = try varint(message, at: &offset)
    switch key & 7 {
    case 0: return (key >> 3, .number(try varint(message, at: &offset)))
    case 2:
      let count = Int(try varint(message, at: &offset))
      guard count <= message.count - offset else { throw Failure("a protobuf field that is cut off") }
      offset += count
      return (key >> 3, .bytes(offset - count..<offset))
    case 1: offset += 8
    case 5: offset += 4
    default: throw Failure("a protobuf field of type \(key & 7)")
    }
    return (key >> 3, .number(0))
  }

  /// The first field of a number that has bytes.
  static func bytes(
    _ number: UInt64, of message: UnsafeRawBufferPointer
  ) throws -> UnsafeRawBufferPointer? {
    var offset = 0
    while let (field, value) = try next(message, at: &offset) {
      if field == number, case .bytes(let range) = value { return message.slice(range) }
    }
    return nil
  }

  /// The first number of a field; nil when it is absent.
  static func number(_ number: UInt64, of message: UnsafeRawBufferPointer) throws -> UInt64? {
    var offset = 0
    while let (field, value) = try next(message, at: &offset) {
      if field == number, case .number(let found) = value { return found }
    }
    return nil
  }

  private static func varint(_ bytes: UnsafeRawBufferPointer, at offset: inout Int) throws -> UInt64 {
    var (value, shift): (UInt64, UInt64) = (0, 0)
    while offset < bytes.count, shift < 64 {
      let byte = bytes[offset]
      offset += 1
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return value }
      shift += 7
    }
    throw Failure("a protobuf number that is cut off")
  }
}
