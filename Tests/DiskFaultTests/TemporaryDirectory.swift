import Foundation

/// A directory that goes when the test lets go of it.
final class TemporaryDirectory: Sendable {
  let path: String

  init() throws {
    let url = FileManager.default.temporaryDirectory.appending(path: "diskfault-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: false)
    path = url.path
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// The database in it.
  var database: String { path + "/jobs.db" }

  /// Puts the files of an image into it.
  func write(_ image: DiskImage) throws {
    for (name, bytes) in image {
      try Data(bytes).write(to: URL(fileURLWithPath: path + "/" + name))
    }
  }

  /// The database and its log as they are.
  func read() throws -> DiskImage {
    var image: DiskImage = [:]
    for name in ["jobs.db", "jobs.db-wal"] {
      image[name] = Array(try Data(contentsOf: URL(fileURLWithPath: path + "/" + name)))
    }
    return image
  }
}
