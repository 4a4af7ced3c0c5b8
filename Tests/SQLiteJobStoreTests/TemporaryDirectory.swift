import Glibc

/// A directory that goes when the test lets go of it.
final class TemporaryDirectory: Sendable {
  let path: String

  init() throws {
    var template = Array("/tmp/jobstore-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw Errno(code: errno) }
    path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
  }

  deinit {
    _ = nftw(path, { name, _, _, _ in remove(name) }, 16, FTW_DEPTH | FTW_PHYS)
  }

  static func / (directory: TemporaryDirectory, name: String) -> String { directory.path + "/" + name }

  struct Errno: Error { let code: Int32 }
}
