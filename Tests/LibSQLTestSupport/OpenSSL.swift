import Foundation

/// The openssl(1) of this host.
enum OpenSSL {
  /// It failed.
  struct Failed: Error {
    let arguments: [String]
  }

  /// Runs it to its end.
  static func run(_ arguments: [String]) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["openssl"] + arguments
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    if process.terminationStatus != 0 { throw Failed(arguments: arguments) }
  }
}
