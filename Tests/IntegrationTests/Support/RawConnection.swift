import Foundation
import JobModel
import JobProtocol
import NIOCore
import Synchronization

/// A bare socket to the broker, for saying what no client would say.
final class RawConnection: Sendable {
  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  private let descriptor: Int32
  private let reading = DispatchQueue(label: "raw connection, reading")
  private let writing = DispatchQueue(label: "raw connection, writing")
  /// What has come and was not asked for yet.
  private let received = Mutex(ByteBuffer())

  /// Connects. A read that takes a minute fails.
  init(to path: String) throws {
    descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var limit = timeval(tv_sec: 60, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let connected = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    guard connected == 0 else { throw Failure(description: "connect: \(String(cString: strerror(errno)))") }
  }

  deinit { Glibc.close(descriptor) }

  /// Closes both directions at once.
  func cut() { shutdown(descriptor, Int32(SHUT_RDWR)) }

  /// Says that nothing more will come.
  func endWriting() { shutdown(descriptor, Int32(SHUT_WR)) }

  /// Writes all of it. The peer may have hung up: then what was not taken is dropped.
  func write(_ bytes: [UInt8]) async {
    await run(on: writing) { [self] in send(bytes) }
  }

  private func send(_ bytes: [UInt8]) {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
      }
      if count <= 0 { return }
      sent += count
    }
  }

  func write(_ requests: Request...) async throws {
    await write(try RawConnection.frames(of: requests))
  }

  static func frames(of requests: [Request]) throws -> [UInt8] {
    let codec = MessageCodec()
    var buffer = ByteBuffer()
    for request in requests { try codec.encode(request, into: &buffer) }
    return Array(buffer.readableBytesView)
  }

  /// Whether a response waits to be read, or the broker has hung up.
  var hasInput: Bool {
    if received.withLock({ $0.readableBytes > 0 }) { return true }
    return events(of: POLLIN) != 0
  }

  /// Whether the broker has hung up, whatever is left to be read.
  var isHungUp: Bool { events(of: 0) & POLLHUP != 0 }

  private func events(of wanted: Int32) -> Int32 {
    var entry = pollfd(fd: descriptor, events: Int16(wanted), revents: 0)
    poll(&entry, 1, 0)
    return Int32(entry.revents)
  }

  /// The next response; nil when the broker has hung up.
  func read() async throws -> Response? {
    try await readBody()?.withUnsafeBytes { try MessageCodec().decodeResponse($0) }
  }

  /// The next frame's body; nil when the broker has hung up.
  func readBody() async throws -> [UInt8]? {
    guard let prefix = try await readExactly(4) else { return nil }
    let length = prefix.reduce(0) { $0 << 8 | Int($1) }
    guard let body = try await readExactly(length) else {
      throw Failure(description: "the broker hung up in a frame")
    }
    return body
  }

  /// All responses that are still to come, read without a pause until the broker hangs up: it waits only so long for who
  /// does not read.
  func readToEnd() async throws -> [Response] {
    let all: Result<[UInt8]?, Failure> = await run(on: reading) { [self] in
      Result { () throws(Failure) in try receive(.max) }
    }
    _ = try all.get()
    var responses: [Response] = []
    while let response = try await read() { responses.append(response) }
    return responses
  }

  /// Says hello and expects to be welcome.
  func greet(_ hello: Hello = Hello(client: "raw")) async throws {
    try await write(Request(id: 1, operation: .hello(hello)))
    guard case .welcome = try await read()?.reply else { throw Failure(description: "not welcome") }
  }

  /// One request and its response.
  func ask(_ id: UInt64, _ operation: JobModel.Operation) async throws -> Reply {
    try await write(Request(id: id, operation: operation))
    while let response = try await read() {
      if response.id == id { return response.reply }
    }
    throw Failure(description: "the broker hung up")
  }

  /// Requests whose answers, all told, are larger than the socket's buffer: reports about a job that this makes and claims
  /// for them, and that shows a long error. Their ids begin with 10.
  func requestsWithLongAnswers() async throws -> [Request] {
    let job = NewJob(type: "long answers")
    _ = try await ask(2, .create([job]))
    _ = try await ask(3, .claim(ClaimRequest(types: [job.type])))
    let error = String(repeating: "x", count: Limits.error)
    _ = try await ask(4, .update(job.id, attempt: 1, JobUpdate(error: error)))
    return (10..<50).map { Request(id: $0, operation: .update(job.id, attempt: 1, JobUpdate(progress: 1))) }
  }

  /// Pings again and again, without a wait for the threads that the tests share, until `isOver`: how often it was
  /// answered.
  func ping(until isOver: @escaping @Sendable () -> Bool) async throws -> Int {
    let ping = try RawConnection.frames(of: [Request(id: 2, operation: .ping)])
    let count: Result<Int, Failure> = await run(on: reading) { [self] in
      Result { () throws(Failure) in
        var count = 0
        while !isOver() {
          send(ping)
          guard let prefix = try receive(4) else { return count }
          _ = try receive(prefix.reduce(0) { $0 << 8 | Int($1) })
          count += 1
        }
        return count
      }
    }
    return try count.get()
  }

  /// The next bytes; nil when the broker has hung up before there were so many.
  private func readExactly(_ count: Int) async throws -> [UInt8]? {
    if let bytes = received.withLock({ $0.readBytes(length: count) }) { return bytes }
    let result: Result<[UInt8]?, Failure> = await run(on: reading) { [self] in
      Result { () throws(Failure) in try receive(count) }
    }
    return try result.get()
  }

  /// The same, on the calling thread. It takes whatever has come, so that a flood of small answers does not wait for a
  /// thread with each.
  private func receive(_ count: Int) throws(Failure) -> [UInt8]? {
    try received.withLock { received throws(Failure) in
      while received.readableBytes < count {
        var got = 0
        received.writeWithUnsafeMutableBytes(minimumWritableBytes: 1 << 16) {
          got = recv(descriptor, $0.baseAddress, $0.count, 0)
          return max(got, 0)
        }
        if got < 0 && errno == EAGAIN { throw Failure(description: "no answer within a minute") }
        if got <= 0 { return nil }
      }
      let bytes = received.readBytes(length: count)
      // Thousands of connections must not each keep a buffer.
      received = ByteBuffer(buffer: received)
      return bytes
    }
  }

  /// Runs what blocks beside the threads that the tests share.
  private func run<R: Sendable>(on queue: DispatchQueue, _ body: @escaping @Sendable () -> R) async -> R {
    await withCheckedContinuation { continuation in
      queue.async { continuation.resume(returning: body()) }
    }
  }
}
