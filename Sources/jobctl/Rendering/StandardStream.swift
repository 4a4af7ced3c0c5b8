import Glibc

/// Standard output or standard error, unbuffered: what is written is seen, also by a reader of a pipe.
struct StandardStream {
  let descriptor: Int32

  static let output = StandardStream(descriptor: STDOUT_FILENO)
  static let error = StandardStream(descriptor: STDERR_FILENO)

  /// Writes all of a text.
  func write(_ text: String) {
    var text = text
    text.withUTF8 { write(UnsafeRawBufferPointer($0)) }
  }

  /// Writes all of some bytes. When the output can't be written, there is no point to this process: it ends, without a
  /// word as SIGPIPE would have ended it when the reader is gone, had NIO not ignored that signal.
  private func write(_ bytes: UnsafeRawBufferPointer) {
    guard let error = error(writing: bytes), descriptor == STDOUT_FILENO else { return }
    if error == EPIPE { exit(128 + SIGPIPE) }
    StandardStream.error.write("jobctl: \(StandardStream.complaint(of: error))\n")
    ExitStatus.refused.endProcess()
  }

  /// What there is to say of an output that can't be written.
  static func complaint(of error: Int32) -> String {
    "cannot write the output: \(String(cString: strerror(error)))"
  }

  /// Sees to it that no file or socket is taken for a standard stream that this process began without: each such stream
  /// can be neither read nor written.
  static func reserve() {
    for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 {
      // The lowest free descriptor is this one.
      _ = open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
    }
  }

  /// Writes all of some bytes; returns the error (errno(3)) that kept it from that, EPIPE when their reader is gone.
  func error(writing bytes: UnsafeRawBufferPointer) -> Int32? {
    var rest = bytes[...]
    while !rest.isEmpty {
      let written = Glibc.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
      if written >= 0 {
        rest = rest.dropFirst(written)
      } else if errno == EAGAIN {
        var wait = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        _ = poll(&wait, 1, -1)
      } else if errno != EINTR {
        return errno
      }
    }
    return nil
  }
}

/// What the other end of a stream can show.
struct Terminal: Sendable, Equatable {
  /// Whether a person is looking: bars and redrawing are for them.
  var isInteractive = false
  /// Whether colours are wanted. See https://no-color.org.
  var hasColor = false
  /// Whether it shows characters beyond ASCII.
  var hasUnicode = false
  var columns = 80
  var rows = 24

  /// No terminal: a file or a pipe, of ASCII.
  static let none = Terminal()

  /// What standard output is connected to now.
  static func current() -> Terminal {
    let locale = (variable("LC_ALL") ?? variable("LC_CTYPE") ?? variable("LANG") ?? "").uppercased()
    var terminal = Terminal(hasUnicode: locale.contains("UTF-8") || locale.contains("UTF8"))
    guard isatty(STDOUT_FILENO) == 1, variable("TERM") != "dumb" else { return terminal }
    terminal.isInteractive = true
    terminal.hasColor = variable("NO_COLOR") == nil
    var size = winsize()
    if ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 {
      terminal.columns = Int(size.ws_col)
      terminal.rows = Int(size.ws_row)
    }
    return terminal
  }

  private static func variable(_ name: String) -> String? {
    guard let value = getenv(name), value.pointee != 0 else { return nil }
    return String(cString: value)
  }
}
