import Foundation

/// Reads a pipe line by line on a thread of its own, so that no test's thread blocks and no pipe fills up.
actor LineReader {
  private var lines: AsyncStream<String>.AsyncIterator

  /// - Parameter descriptor: Is closed at its end.
  init(_ descriptor: Int32) {
    let (stream, continuation) = AsyncStream.makeStream(of: String.self)
    lines = stream.makeAsyncIterator()
    Thread.detachNewThread {
      var rest: [UInt8] = []
      var bytes = [UInt8](repeating: 0, count: 1 << 16)
      while true {
        let count = read(descriptor, &bytes, bytes.count)
        if count < 0 && errno == EINTR { continue }
        if count <= 0 { break }
        rest += bytes[..<count]
        var lines = rest.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        rest = Array(lines.removeLast())
        for line in lines { continuation.yield(String(decoding: line, as: UTF8.self)) }
      }
      close(descriptor)
      if !rest.isEmpty { continuation.yield(String(decoding: rest, as: UTF8.self)) }
      continuation.finish()
    }
  }

  func next() async -> String? {
    var iterator = lines
    let line = await iterator.next(isolation: self)
    lines = iterator
    return line
  }

  func rest() async -> String {
    var text = ""
    while let line = await next() { text += line + "\n" }
    return text
  }
}
