#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Where the broker's socket is unless somebody says otherwise.
public enum DefaultPath {
  /// `$JOBBROKER_SOCKET`; for root /run/jobbroker/jobbroker.sock; $XDG_RUNTIME_DIR/jobbroker/jobbroker.sock;
  /// /tmp/jobbroker-UID/jobbroker.sock.
  public static func socket() -> String {
    if let path = variable("JOBBROKER_SOCKET") { return path }
    if getuid() == 0 { return "/run/jobbroker/jobbroker.sock" }
    if let directory = variable("XDG_RUNTIME_DIR") { return "\(directory)/jobbroker/jobbroker.sock" }
    return "/tmp/jobbroker-\(getuid())/jobbroker.sock"
  }

  private static func variable(_ name: String) -> String? {
    guard let value = getenv(name), value.pointee != 0 else { return nil }
    return String(cString: value)
  }
}
