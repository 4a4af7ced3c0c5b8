import CLibFuzzer
import BrokerServer
import Glibc
import JobModel
import JobProtocol
import JobStore
import Logging
import NIOCore
import SQLiteJobStore
import ServiceLifecycle
import Synchronization

/// A whole broker in this process, and a client of it that must be answered whatever another sends.
private final class Bed: Sendable {
  let path: String
  let healthy: CInt

  init() {
    var template = Array("/tmp/jb-fuzz-XXXXXX".utf8CString)
    guard let made = mkdtemp(&template) else { fatalError("mkdtemp: errno \(errno)") }
    let directory = String(cString: made)
    path = directory + "/broker.sock"
    let ready = Ready()
    let socketPath = path
    Task.detached {
      do {
        let loop = BrokerLoop()
        let logger = Logger(label: "fuzz") { _ in SwiftLogNoOpLogHandler() }
        let store = try await SQLiteJobStore.open(
          path: directory + "/jobs.db", on: loop, durability: .relaxed, logger: logger)
        let service = BrokerService(
          store: WithoutBackup(store: store), loop: loop, socket: try .bind(path: socketPath),
          notifier: ServiceNotifier(environment: [:]), logger: logger
        ) { ready.tell() }
        try await service.run()
      } catch {
        fatalError("the broker ended: \(error)")
      }
    }
    ready.wait()
    healthy = connected(to: path)
    send(healthy, Bed.hello)
    guard answer(healthy) != nil else { fatalError("not welcome") }
  }

  static let hello = frame(Request(id: 1, operation: .hello(Hello(client: "fuzz"))))
  static let ping = frame(Request(id: 2, operation: .ping))
}

private let bed = Bed()

/// What SwiftPM links as the program's `main`.
@_cdecl("FuzzConnection_main")
public func start(_ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?) -> CInt {
  var (count, arguments) = (count, arguments)
  return LLVMFuzzerRunDriver(&count, &arguments, fuzzConnection)
}

/// What another client sends: the broker answers or hangs up, and serves the healthy client on.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzConnection(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = Array(UnsafeBufferPointer(start: start, count: count))
  let descriptor = connected(to: bed.path)
  // One bit says whether it has any manners.
  if input.first.map({ $0 & 1 == 0 }) ?? true { send(descriptor, Bed.hello) }
  send(descriptor, Array(input.dropFirst()))
  shutdown(descriptor, CInt(SHUT_WR))
  while answer(descriptor) != nil {}
  close(descriptor)
  send(bed.healthy, Bed.ping)
  guard answer(bed.healthy) != nil else { fatalError("the healthy client was not answered") }
  return 0
}

private func frame(_ request: Request) -> [UInt8] {
  var buffer = ByteBuffer()
  do { try MessageCodec().encode(request, into: &buffer) } catch { fatalError("\(error)") }
  return Array(buffer.readableBytesView)
}

private func connected(to path: String) -> CInt {
  let descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
  var patience = timeval(tv_sec: 60, tv_usec: 0)
  setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
  var address = sockaddr_un()
  address.sun_family = sa_family_t(AF_UNIX)
  withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
  let result = withUnsafePointer(to: &address) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
    }
  }
  guard result == 0 else { fatalError("connect: errno \(errno)") }
  return descriptor
}

/// Sends what the broker takes; it may have hung up, or wait for its answers to be read.
private func send(_ descriptor: CInt, _ bytes: [UInt8]) {
  var sent = 0
  while sent < bytes.count {
    let count = bytes.withUnsafeBytes {
      Glibc.send(descriptor, $0.baseAddress! + sent, bytes.count - sent, CInt(MSG_NOSIGNAL))
    }
    if count < 0 && errno == EINTR { continue }
    if count <= 0 { return }
    sent += count
  }
}

/// What has arrived; nil at the end of the stream. libFuzzer's timer interrupts calls, and those with a timeout are not
/// begun again by themselves (signal(7)).
private func answer(_ descriptor: CInt) -> Int? {
  var bytes = [UInt8](repeating: 0, count: 64 << 10)
  var count: Int
  repeat { count = recv(descriptor, &bytes, bytes.count, 0) } while count < 0 && errno == EINTR
  guard count >= 0 || errno != EAGAIN else { fatalError("no answer within a minute") }
  return count > 0 ? count : nil
}

/// Lets a thread wait until the broker is there.
private final class Ready: Sendable {
  private let ends: (CInt, CInt)

  init() {
    var both: [CInt] = [0, 0]
    guard pipe(&both) == 0 else { fatalError("pipe: errno \(errno)") }
    ends = (both[0], both[1])
  }

  func tell() { _ = write(ends.1, "r", 1) }

  func wait() {
    var byte: UInt8 = 0
    _ = read(ends.0, &byte, 1)
  }
}

/// A store that writes no files of names that come from the fuzzer.
private struct WithoutBackup: JobStore {
  let store: SQLiteJobStore

  var executor: (any TaskExecutor)? { store.executor }
  var name: String { store.name }

  func execute(_ commands: [JobCommand]) async throws(JobError) -> [Result<JobReply, JobError>] {
    try await store.execute(commands)
  }
  func sync() async throws(JobError) { try await store.sync() }
  func get(_ id: JobID) async throws(JobError) -> Job? { try await store.get(id) }
  func list(_ filter: JobFilter) async throws(JobError) -> JobPage { try await store.list(filter) }
  func position(_ id: JobID) async throws(JobError) -> QueuePosition { try await store.position(id) }
  func stats() async throws(JobError) -> [TypeStats] { await store.stats() }
  func recover() async throws(JobError) -> Recovery { try await store.recover() }
  func backup(to path: String) async throws(JobError) {
    throw JobError(.unsupported, "The fuzzer chooses no files.")
  }
  func close() async { await store.close() }
}
