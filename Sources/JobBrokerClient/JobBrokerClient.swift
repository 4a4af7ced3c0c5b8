import JobProtocol
import Logging
import NIOCore
import NIOPosix

/// A connection to the broker.
public final class JobBrokerClient: Sendable {
  /// What it was made with.
  public let configuration: Configuration
  /// The loop on which its connection lives.
  public let eventLoop: any EventLoop
  /// Runs tasks on that loop: the cheapest place to call this client from.
  public let taskExecutor: EventLoopTaskExecutor

  init(configuration: Configuration, eventLoop: any EventLoop) {
    self.configuration = configuration
    self.eventLoop = eventLoop
    self.taskExecutor = EventLoopTaskExecutor(eventLoop)
  }

  /// Connects and says hello.
  public static func connect(
    _ configuration: Configuration = Configuration(), eventLoop: (any EventLoop)? = nil,
    logger: Logger? = nil, waitsForBroker: Bool = false
  ) async throws(JobError) -> JobBrokerClient {
    fatalError()
  }

  /// Ends the connection and every call that waits, with UNAVAILABLE.
  public func close() async { fatalError() }

  /// What the broker said when this client last connected.
  public var welcome: Welcome { fatalError() }

  /// Follows jobs.
  public func watch(_ selection: WatchSelection = WatchSelection()) async throws(JobError) -> JobWatch {
    fatalError()
  }

  /// Notices that a claim of this connection is no longer valid.
  public func revocations(of claim: ClaimToken) -> AsyncStream<Revocation> { fatalError() }

  nonisolated(nonsending) func send(_ operation: Operation) async throws(JobError) -> Reply {
    fatalError()
  }
}
