import Glibc

/// Why a measurement cannot go on, for people.
struct Failure: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }

  /// What a system call that just failed was about, and its errno.
  static func system(_ what: String) -> Failure { Failure("\(what): \(String(cString: strerror(errno)))") }
}

/// Remarks for people, beside the results.
enum StandardError {
  static func line(_ text: String) {
    let bytes = Array("peers: \(text)\n".utf8)
    write(STDERR_FILENO, bytes, bytes.count)
  }
}

/// Results, line by line: whoever follows them reads a pipe, and a pipe is buffered.
enum StandardOutput {
  static func line(_ text: String) {
    print(text)
    fflush(nil)
  }
}
