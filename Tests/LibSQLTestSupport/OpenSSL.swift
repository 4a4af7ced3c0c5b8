import TestSupport

/// The openssl(1) of this host.
enum OpenSSL {
  /// It failed.
  struct Failed: Error {
    let arguments: [String]
  }

  /// Runs it to its end.
  static func run(_ arguments: [String]) throws {
    if try Finished.exitCode(of: ["/usr/bin/env", "openssl"] + arguments) != 0 {
      throw Failed(arguments: arguments)
    }
  }
}
