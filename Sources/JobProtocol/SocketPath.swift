/// Where broker and clients meet unless they are told otherwise.
public enum DefaultPath {
  /// The socket's path: `$JOBBROKER_SOCKET`; for root `/run/jobbroker/jobbroker.sock`; else
  /// `$XDG_RUNTIME_DIR/jobbroker/jobbroker.sock`; else `/tmp/jobbroker-UID/jobbroker.sock`. A variable that is empty
  /// counts as absent, and so does an XDG_RUNTIME_DIR that is no absolute path (XDG Base Directory Specification).
  public static func socket(environment: [String: String], uid: UInt32) -> String {
    if let path = environment["JOBBROKER_SOCKET"], !path.isEmpty { return path }
    if uid == 0 { return "/run/jobbroker/jobbroker.sock" }
    if let directory = environment["XDG_RUNTIME_DIR"], directory.hasPrefix("/") {
      return "\(directory)/jobbroker/jobbroker.sock"
    }
    return "\(temporaryDirectory(uid: uid))/jobbroker.sock"
  }

  /// Where the socket of a user is that has no directory of his own for such things.
  public static func temporaryDirectory(uid: UInt32) -> String { "/tmp/jobbroker-\(uid)" }
}
