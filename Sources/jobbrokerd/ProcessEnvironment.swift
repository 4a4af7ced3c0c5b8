import Glibc

/// Standard output, line by line: whoever waits for the readiness line reads a pipe, and a pipe is buffered.
enum StandardOutput {
  static func line(_ text: String) {
    print(text)
    fflush(nil)
  }
}

/// Standard error.
enum StandardError {
  static func line(_ text: String) { _ = write(STDERR_FILENO, text + "\n", text.utf8.count + 1) }
}

/// The process's environment.
enum SystemEnvironment {
  static var variables: [String: String] {
    var variables: [String: String] = [:]
    var next = environ
    while let entry = next.pointee {
      let parts = String(cString: entry).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      if parts.count == 2 { variables[String(parts[0])] = String(parts[1]) }
      next += 1
    }
    return variables
  }
}

/// The end of the terminal.
enum Hangup {
  /// Whether this process began with SIGHUP ignored, for so nohup(1) asks it to survive that.
  static var isIgnored: Bool {
    let before = signal(SIGHUP, SIG_IGN)
    signal(SIGHUP, before)
    return unsafeBitCast(before, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
  }
}
