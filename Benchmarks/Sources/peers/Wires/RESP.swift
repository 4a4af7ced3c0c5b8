/// Redis's protocol: commands out, replies in.
enum RESP {
  /// Appends a command whose words are all text.
  static func command(_ words: [String]) -> [UInt8] {
    var output = Array("*\(words.count)\r\n".utf8)
    for word in words { output += "$\(word.utf8.count)\r\n\(word)\r\n".utf8 }
    return output
  }

  /// What can be told of a reply without looking into arrays.
  enum Reply {
    case status
    case integer(Int)
    /// Where its bytes are.
    case bulk(Range<Int>)
    /// Of so many elements, that follow it.
    case array(Int)
    case null
  }

  /// Reads one reply, or the head of an array, at an offset.
  ///
  /// - Returns: the reply and the offset behind it; nil when it is not all there.
  /// - Throws: `Failure` when it is an error.
  static func read(_ bytes: UnsafeRawBufferPointer, at start: Int) throws -> (Reply, end: Int)? {
    guard let (line, end) = line(bytes, at: start) else { return nil }
    let kind = bytes[start]
    let text = bytes.slice(start + 1..<line)
    switch kind {
    case UInt8(ascii: "+"): return (.status, end)
    case UInt8(ascii: ":"): return (.integer(number(text)), end)
    case UInt8(ascii: "*"):
      let count = number(text)
      return (count < 0 ? .null : .array(count), end)
    case UInt8(ascii: "$"):
      let count = number(text)
      if count < 0 { return (.null, end) }
      return end + count + 2 <= bytes.count ? (.bulk(end..<end + count), end + count + 2) : nil
    default: throw Failure("redis: \(String(decoding: text, as: UTF8.self))")
    }
  }

  /// Reads a whole reply and passes the bytes of each string in it.
  static func skip(
    _ bytes: UnsafeRawBufferPointer, at start: Int, string: (Range<Int>) -> Void = { _ in }
  ) throws -> (isNull: Bool, end: Int)? {
    guard let (first, next) = try read(bytes, at: start) else { return nil }
    var isNull = false
    var (open, end) = (0, next)
    switch first {
    case .array(let count): open = count
    case .bulk(let range): string(range)
    case .null: isNull = true
    case .status, .integer: break
    }
    while open > 0 {
      guard let (reply, next) = try read(bytes, at: end) else { return nil }
      open -= 1
      end = next
      switch reply {
      case .array(let count): open += count
      case .bulk(let range): string(range)
      case .status, .integer, .null: break
      }
    }
    return (isNull, end)
  }

  /// Reads the reply to a command that needs none but success.
  static func success(_ bytes: UnsafeRawBufferPointer) throws -> (Void, length: Int)? {
    try skip(bytes, at: 0).map { ((), $0.end) }
  }

  /// The end of a line's text, and the offset behind the line.
  static func line(_ bytes: UnsafeRawBufferPointer, at start: Int) -> (text: Int, end: Int)? {
    var index = start
    while index + 1 < bytes.count {
      if bytes[index] == 13 && bytes[index + 1] == 10 { return (index, index + 2) }
      index += 1
    }
    return nil
  }

  /// The number that the bytes are in decimal; 0 for what is none.
  static func number(_ text: UnsafeRawBufferPointer) -> Int {
    var value = 0
    let isNegative = text.first == UInt8(ascii: "-")
    for digit in text.dropFirst(isNegative ? 1 : 0) { value = value &* 10 &+ Int(digit &- 48) }
    return isNegative ? -value : value
  }
}
