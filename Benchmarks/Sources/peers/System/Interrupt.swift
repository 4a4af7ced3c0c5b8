import CSystem
import Glibc

/// Ctrl-C and SIGTERM, taken as something to read: so that whoever waits can unwind and stop what it started.
enum Interrupt: Error {
  case received

  /// Readable once a signal came. The first use blocks the signals, so it must come before any other thread starts.
  static let descriptor: Int32 = {
    var signals = sigset_t()
    sigemptyset(&signals)
    for signal in [SIGINT, SIGTERM, SIGHUP] { sigaddset(&signals, signal) }
    sigprocmask(SIG_BLOCK, &signals, nil)
    return signalfd(-1, &signals, Int32(SFD_CLOEXEC))
  }()

  /// Waits so many milliseconds.
  ///
  /// - Throws: `Interrupt` as soon as a signal came.
  static func wait(milliseconds: Int32) throws {
    var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    if poll(&waiting, 1, milliseconds) > 0 { throw Interrupt.received }
  }
}
