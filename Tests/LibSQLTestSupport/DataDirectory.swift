import Foundation

/// A directory for a database; it goes when the test lets go of it.
public final class DataDirectory: Sendable {
  /// Where it is.
  public let path: String

  /// Makes one.
  public init() throws {
    let url = FileManager.default.temporaryDirectory.appending(path: "libsql-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: false)
    path = url.path
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// A file in it.
  public static func / (directory: DataDirectory, name: String) -> String { directory.path + "/" + name }
}
