/// Cuts a stream of bytes into lines with bounded memory: of a line that is too long only its beginning is known.
struct LineSplitter {
  /// A line without its line break.
  struct Line: Equatable {
    var bytes: [UInt8]
    /// How long it really was; more than `bytes.count` when the rest was dropped.
    var length: Int
    var isCut: Bool { length > bytes.count }
  }

  /// The longest line, and the longest that begins like an object: a job's result may be larger than what a line
  /// of a log can sensibly be.
  private let limit: Int
  private let objectLimit: Int
  private var partial: [UInt8] = []
  private var length = 0

  init(limit: Int, objectLimit: Int) {
    self.limit = limit
    self.objectLimit = objectLimit
  }

  /// Takes in bytes and calls `body` with each line they end.
  mutating func feed(_ bytes: some Collection<UInt8>, _ body: (Line) -> Void) {
    var rest = bytes[...]
    while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
      append(rest[..<end])
      finish(body)
      rest = rest[rest.index(after: end)...]
    }
    append(rest)
  }

  /// Calls `body` with the last line when no line break ended it.
  mutating func finish(_ body: (Line) -> Void) {
    guard length > 0 else { return }
    if partial.last == UInt8(ascii: "\r"), partial.count == length {
      partial.removeLast()
      length -= 1
    }
    body(Line(bytes: partial, length: length))
    partial.removeAll(keepingCapacity: partial.capacity <= limit)
    length = 0
  }

  private mutating func append(_ bytes: some Collection<UInt8>) {
    let first = partial.unindented.first ?? bytes.unindented.first
    let room = (first == UInt8(ascii: "{") ? objectLimit : limit) - partial.count
    partial.append(contentsOf: bytes.prefix(max(room, 0)))
    length += bytes.count
  }
}

extension Collection<UInt8> {
  /// What is left without the white space (RFC 8259) that it begins with.
  var unindented: SubSequence {
    drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: "\r") }
  }
}

/// The end of a stream of bytes.
struct Tail {
  private let limit: Int
  private var bytes: [UInt8] = []
  private var length = 0

  init(limit: Int) {
    self.limit = limit
  }

  /// Takes in bytes and forgets what came more than the limit before the end.
  mutating func feed(_ chunk: some Collection<UInt8>) {
    length += chunk.count
    bytes.append(contentsOf: chunk.suffix(limit))
    if bytes.count > 4 * limit { bytes.removeFirst(bytes.count - limit) }
  }

  /// The last bytes as text for an error message: a character cut in two at the front is dropped, other bytes
  /// that are no UTF-8 are replaced, control characters but line breaks and tabs are left out.
  var text: String {
    let isContinuation = { (byte: UInt8) in byte & 0xC0 == 0x80 }
    let last = bytes.suffix(limit)
    let whole = length > limit ? last.drop(while: isContinuation) : last
    let scalars = String(decoding: whole, as: UTF8.self).unicodeScalars.filter {
      $0.properties.generalCategory != .control || $0 == "\n" || $0 == "\t"
    }
    let text = String(String.UnicodeScalarView(scalars))
    let end = text.lastIndex { !$0.isWhitespace }.map { text.index(after: $0) } ?? text.startIndex
    return String(text[..<end].drop(while: \.isWhitespace))
  }
}
