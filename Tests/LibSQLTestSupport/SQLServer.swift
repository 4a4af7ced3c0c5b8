import Foundation
import NIOCore
import NIOPosix
import Synchronization
import TestSupport

/// A real sqld on a free port of this host, with a database of its own. It does not outlive this object, however a test ends.
public final class SQLServer: Sendable {
  /// Why there is no server.
  public struct NotStarted: Error, CustomStringConvertible {
    /// In words.
    public let description: String
  }

  /// When a server copies its log into the database.
  public enum Checkpoints: Sendable {
    /// Every ten seconds.
    case atIntervals
    /// After commits, when the log is long: as sqld does unless it is told otherwise.
    case afterCommits

    fileprivate var arguments: [String] { self == .atIntervals ? ["--checkpoint-interval-s", "10"] : [] }
  }

  /// Where it listens.
  public let port: Int
  private let process: ChildProcess
  private let directory: TemporaryDirectory

  private init(port: Int, process: ChildProcess, directory: TemporaryDirectory) {
    self.port = port
    self.process = process
    self.directory = directory
  }

  /// Where it is; `make test` fetches it.
  private static let program: String = {
    if let path = ProcessInfo.processInfo.environment["JOBBROKER_SQLD"] { return path }
    return URL(fileURLWithPath: #filePath).appending(path: "../../../.build/tools/sqld-0.24.32")
      .standardized
      .path
  }()

  /// Starts a server, as docs/libsql.md says, and waits until it answers. With the directory of an earlier one it
  /// takes over its database.
  ///
  /// - Parameter checkpoints: When it copies its log into the database.
  public static func start(
    in directory: TemporaryDirectory? = nil, port: Int? = nil, checkpoints: Checkpoints = .atIntervals,
    _ arguments: [String] = []
  ) async throws -> SQLServer {
    guard FileManager.default.isExecutableFile(atPath: program) else {
      throw NotStarted(description: "no sqld at \(program): run scripts/sqld.sh")
    }
    let directory = directory ?? TemporaryDirectory()
    // sqld can't say which port it was given, so one that was free a moment ago is tried, and another if it is gone.
    for _ in 0..<10 {
      let port = try port ?? freePort()
      let process = try ChildProcess(
        program,
        ["--no-welcome", "--db-path", directory.file("data"), "--http-listen-addr", "127.0.0.1:\(port)"]
          + checkpoints.arguments + arguments)
      if await answers(port: port, process) {
        return SQLServer(port: port, process: process, directory: directory)
      }
      await process.stop()
    }
    throw NotStarted(description: "sqld did not come up")
  }

  /// Its address.
  public var url: String { "http://127.0.0.1:\(port)" }

  /// Ends it as kill −9 does.
  public func stop() async { await process.stop(SIGKILL) }

  /// Starts another in its place.
  public func restarted() async throws -> SQLServer { try await SQLServer.start(in: directory, port: port) }

  /// Ports that were given away. Their servers may not listen yet.
  private static let taken = Mutex<Set<Int>>([])

  /// A port that nobody listens on, and that nobody else in this process was given.
  public static func freePort() throws -> Int {
    while true {
      let port = try unusedPort()
      if taken.withLock({ $0.insert(port).inserted }) { return port }
    }
  }

  private static func unusedPort() throws -> Int {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let done = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
      }
    }
    guard done else { throw NotStarted(description: "no free port") }
    return Int(UInt16(bigEndian: address.sin_port))
  }

  /// Connects until somebody listens; false when the process ends first.
  private static func answers(port: Int, _ process: ChildProcess) async -> Bool {
    let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
    while process.isRunning {
      if let channel = try? await bootstrap.connect(host: "127.0.0.1", port: port).get() {
        try? await channel.close()
        return process.isRunning
      }
      await Task.yield()
    }
    return false
  }
}
