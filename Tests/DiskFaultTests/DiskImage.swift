import Foundation
import TestSupport

extension TemporaryDirectory {
  /// The database in it.
  var database: String { file("jobs.db") }

  /// Puts the files of an image into it.
  func write(_ image: DiskImage) throws {
    for (name, bytes) in image {
      try Data(bytes).write(to: URL(fileURLWithPath: file(name)))
    }
  }

  /// The database and its log as they are.
  func read() throws -> DiskImage {
    var image: DiskImage = [:]
    for name in ["jobs.db", "jobs.db-wal"] {
      image[name] = Array(try Data(contentsOf: URL(fileURLWithPath: file(name))))
    }
    return image
  }
}
