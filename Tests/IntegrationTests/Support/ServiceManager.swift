import Foundation

/// What systemd does for a service, as far as a test needs it.
enum ServiceManager {
  /// A wrapper that hands its standard input over as the first passed descriptor (sd_listen_fds(3)).
  static let passingInput = [
    "/bin/sh", "-c",
    "exec 3<&0 </dev/null; export LISTEN_FDS=1 LISTEN_PID=$$; exec \"$0\" \"$@\"",
  ]

  /// A socket that listens on behalf of a service which is not there yet.
  static func listen(at path: String) throws -> FileHandle {
    let descriptor = try boundSocket(SOCK_STREAM, at: path)
    guard Glibc.listen(descriptor, 16) == 0 else { throw POSIXError(.EINVAL) }
    return FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
  }

  fileprivate static func boundSocket(_ kind: __socket_type, at path: String) throws -> Int32 {
    let descriptor = socket(AF_UNIX, Int32(kind.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let bound = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        // An abstract name, which begins with NUL, is as long as the address says.
        bind(descriptor, $0, socklen_t(MemoryLayout<sa_family_t>.size + path.utf8.count))
      }
    }
    guard bound == 0 else { throw POSIXError(.EADDRINUSE) }
    return descriptor
  }
}

/// Where a service tells how it is (sd_notify(3)).
final class NotifySocket: Sendable {
  private let descriptor: Int32

  init(at path: String) throws { descriptor = try ServiceManager.boundSocket(SOCK_DGRAM, at: path) }

  deinit { close(descriptor) }

  /// Waits for the next message.
  func receive() async -> String {
    await withCheckedContinuation { continuation in
      DispatchQueue.global().async { continuation.resume(returning: self.next(flags: 0) ?? "") }
    }
  }

  /// The messages that are there.
  func pending() -> [String] {
    var messages: [String] = []
    while let message = next(flags: Int32(MSG_DONTWAIT)) { messages.append(message) }
    return messages
  }

  private func next(flags: Int32) -> String? {
    var bytes = [UInt8](repeating: 0, count: 1024)
    let count = recv(descriptor, &bytes, bytes.count, flags)
    return count < 0 ? nil : String(decoding: bytes.prefix(count), as: UTF8.self)
  }
}
