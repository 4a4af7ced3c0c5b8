import Foundation

/// Where the products of the build are that these tests belong to.
enum Products {
  static let directory: URL = {
    if let directory = ProcessInfo.processInfo.environment["JOBBROKER_PRODUCTS"] {
      return URL(fileURLWithPath: directory)
    }
    // The test bundle is one of the arguments of its runner, and lies beside the executables.
    let bundle = ProcessInfo.processInfo.arguments.first { $0.contains(".xctest") }
    guard let bundle, let end = bundle.range(of: ".xctest") else {
      fatalError("The test bundle is not among the arguments; set JOBBROKER_PRODUCTS to the build folder.")
    }
    return URL(fileURLWithPath: String(bundle[..<end.upperBound])).deletingLastPathComponent()
  }()

  static let jobbrokerd = directory.appendingPathComponent("jobbrokerd").path
  static let jobctl = directory.appendingPathComponent("jobctl").path
}

/// A private directory with a short path (a socket's may have 107 bytes, unix(7)), removed when the test is over.
final class TemporaryDirectory: Sendable {
  let path: String

  init() {
    var template = Array("/tmp/jb-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { fatalError("mkdtemp: \(String(cString: strerror(errno)))") }
    path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func file(_ name: String) -> String { path + "/" + name }
}
