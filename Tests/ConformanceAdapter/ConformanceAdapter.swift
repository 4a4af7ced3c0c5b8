import Foundation

/// The Swift client under proto/vectors/conformance: what to do is the first argument.
@main
enum ConformanceAdapter {
  static func main() async {
    let arguments = CommandLine.arguments.dropFirst()
    do {
      switch (arguments.first, arguments.count) {
      case ("scenario", 2): try await Scenario(socket: arguments[2]).run()
      case ("frames", 1): try Frames().run()
      case ("hostile", 2): try await Hostile(socket: arguments[2]).run()
      default: throw Failure("usage: ConformanceAdapter scenario SOCKET | frames | hostile SOCKET")
      }
    } catch {
      FileHandle.standardError.write(Data("ConformanceAdapter: \(error)\n".utf8))
      exit(1)
    }
  }

  /// Writes one line, at once.
  static func write(_ line: String) {
    FileHandle.standardOutput.write(Data((line + "\n").utf8))
  }
}

/// Something is not as the scenario expects.
struct Failure: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
