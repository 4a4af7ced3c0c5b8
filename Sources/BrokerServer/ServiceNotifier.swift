import Glibc

/// Tells the service manager how the broker is (sd_notify(3)). Does nothing when there is none.
public struct ServiceNotifier: Sendable {
  private let address: String?
  /// How often `WATCHDOG=1` is expected (sd_watchdog_enabled(3)); nil when it is not.
  public let watchdogInterval: Duration?

  /// Reads NOTIFY_SOCKET and WATCHDOG_USEC.
  public init(environment: [String: String]) {
    address = environment["NOTIFY_SOCKET"]
    let isForUs = environment["WATCHDOG_PID"].flatMap(CInt.init).map { $0 == getpid() } ?? true
    watchdogInterval =
      isForUs ? environment["WATCHDOG_USEC"].flatMap(Int64.init).map { .microseconds($0) } : nil
  }

  /// Sends one state, as in `READY=1`. A service manager that does not read is waited for no longer than a second, and
  /// what can't be sent is dropped: it has its own timeouts.
  public func notify(_ state: String) { send(state, flags: 0) }

  /// Sends a sign of life, or none: the event loop must not wait.
  func feedWatchdog() { send("WATCHDOG=1", flags: MSG_DONTWAIT) }

  private func send(_ state: String, flags: Int) {
    guard let address else { return }
    let descriptor = socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    var patience = timeval(tv_sec: 1, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    var target = sockaddr_un()
    target.sun_family = sa_family_t(AF_UNIX)
    var name = Array(address.utf8)
    guard name.count < MemoryLayout.size(ofValue: target.sun_path) else { return }
    // A name that begins with @ is in the abstract namespace, whose first byte is NUL (unix(7)).
    if name.first == UInt8(ascii: "@") { name[0] = 0 }
    withUnsafeMutableBytes(of: &target.sun_path) { $0.copyBytes(from: name) }
    let length = socklen_t(MemoryLayout<sa_family_t>.size + name.count)
    _ = withUnsafePointer(to: &target) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        sendto(descriptor, state, state.utf8.count, CInt(MSG_NOSIGNAL) | CInt(flags), $0, length)
      }
    }
  }
}
