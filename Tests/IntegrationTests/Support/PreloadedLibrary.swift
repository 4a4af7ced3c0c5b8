import Foundation
import TestSupport
import Testing

/// A library that is loaded into a process before the others, so that its functions take the place of theirs.
struct PreloadedLibrary {
  static let compiler: Comment =
    "a library is loaded first: it takes a C compiler to have one, and AddressSanitizer wants that place itself"
  static let isAvailable =
    FileManager.default.isExecutableFile(atPath: "/usr/bin/cc")
    && ProcessInfo.processInfo.environment["JOBBROKER_SANITIZER"] != "address"

  /// What a process needs to load it.
  let environment: [String: String]

  /// Compiles it.
  init(_ source: String, in directory: TemporaryDirectory) async throws {
    let (text, library) = (directory.file("preloaded.c"), directory.file("preloaded.so"))
    environment = ["LD_PRELOAD": library]
    try Data(source.utf8).write(to: URL(fileURLWithPath: text))
    let run = try await Finished.running(["/usr/bin/cc", "-shared", "-fPIC", "-o", library, text])
    if run.code != 0 { throw ChildProcess.Ended(description: run.errors) }
  }
}
