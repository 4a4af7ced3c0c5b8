import Glibc

/// A connected Unix stream socket, closed with its last reference.
final class Socket {
  let descriptor: Int32
  private var input = [UInt8](repeating: 0, count: 8192)
  private var filled = 0

  init(_ path: String) throws {
    descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw Failure.system("socket") }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    precondition(
      bytes.count < MemoryLayout.size(ofValue: address.sun_path), "\(path) is too long for a socket")
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    let size = socklen_t(MemoryLayout<sockaddr_un>.size)
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, size) }
    }
    guard result == 0 else { throw Failure.system(path) }
  }

  deinit { close(descriptor) }

  /// Sends all of it. Requests are small against the socket's buffer, so this does not block in a closed loop.
  func send(_ bytes: [UInt8]) throws {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes { buffer in
        Glibc.send(
          descriptor, buffer.baseAddress.map { $0 + sent }, buffer.count - sent, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { throw Failure.system("send") }
      sent += count
    }
  }

  /// Takes in what has come, or waits for something to come.
  func receive(waits: Bool = false) throws {
    if filled == input.count { input.append(contentsOf: repeatElement(0, count: input.count)) }
    let count = input.withUnsafeMutableBytes { buffer in
      recv(
        descriptor, buffer.baseAddress.map { $0 + filled }, buffer.count - filled,
        waits ? 0 : Int32(MSG_DONTWAIT))
    }
    if count < 0 && (errno == EAGAIN || errno == EINTR) { return }
    guard count > 0 else {
      throw count == 0 ? Failure("the server closed a connection") : Failure.system("recv")
    }
    filled += count
  }

  /// Reads one answer from what came.
  ///
  /// - Parameter parse: nil when the answer is not all there.
  func next<Value>(_ parse: (UnsafeRawBufferPointer) throws -> (Value, length: Int)?) rethrows -> Value? {
    guard filled > 0, let (value, length) = try input.withUnsafeBytes({ try parse($0.slice(0..<filled)) })
    else {
      return nil
    }
    if length < filled {
      input.withUnsafeMutableBytes { $0.copyMemory(from: UnsafeRawBufferPointer($0).slice(length..<filled)) }
    }
    filled -= length
    return value
  }

  /// Sends a request and waits for its answer.
  func exchange<Value>(
    _ request: [UInt8], _ parse: (UnsafeRawBufferPointer) throws -> (Value, length: Int)?
  ) throws -> Value {
    try send(request)
    while true {
      if let value = try next(parse) { return value }
      try receive(waits: true)
    }
  }
}
