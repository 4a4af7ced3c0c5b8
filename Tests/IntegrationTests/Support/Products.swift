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
