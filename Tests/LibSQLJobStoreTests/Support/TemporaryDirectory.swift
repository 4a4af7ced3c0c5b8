import Foundation

/// A directory that goes when the test lets go of it.
final class TemporaryDirectory: Sendable {
  let path: String

  init() throws {
    let url = FileManager.default.temporaryDirectory.appending(path: "libsql-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: false)
    path = url.path
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  static func / (directory: TemporaryDirectory, name: String) -> String { directory.path + "/" + name }
}
