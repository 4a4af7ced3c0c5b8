import ArgumentParser
import Glibc

/// Reads files that a command line names.
enum TextFile {
  /// The text of a file; `-` is standard input.
  ///
  /// - Throws: `ValidationError` when it can't be read or is no UTF-8.
  static func contents(of path: String) throws -> String {
    let descriptor = path == "-" ? STDIN_FILENO : open(path, O_RDONLY)
    guard descriptor >= 0 else { throw ValidationError("\(path): \(reason).") }
    defer { if descriptor != STDIN_FILENO { close(descriptor) } }

    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let count = chunk.withUnsafeMutableBytes { readSome(from: descriptor, into: $0) }
      if count == 0 { break }
      guard count > 0 else { throw ValidationError("\(path): \(reason).") }
      bytes.append(contentsOf: chunk[..<count])
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw ValidationError("\(path) is no UTF-8 text.")
    }
    return text
  }

  private static func readSome(from descriptor: Int32, into buffer: UnsafeMutableRawBufferPointer) -> Int {
    while true {
      let count = read(descriptor, buffer.baseAddress, buffer.count)
      if count >= 0 || errno != EINTR { return count }
    }
  }

  private static var reason: String { String(cString: strerror(errno)) }
}
