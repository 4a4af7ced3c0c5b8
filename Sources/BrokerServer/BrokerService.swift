import JobModel
import JobStore
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle

/// The broker as a service: accepts on a bound socket until it is told to shut down, then drains.
public struct BrokerService: Service {
  private let store: any JobStore
  private let loop: BrokerLoop
  private let socket: SocketBinder
  private let configuration: ServerConfiguration
  private let notifier: ServiceNotifier
  private let logger: Logger
  private let whenReady: @Sendable () -> Void

  /// A broker for a store and a socket; it closes both when it ends, and the loop.
  ///
  /// - Parameter whenReady: Called once, when clients are answered.
  public init(
    store: any JobStore, loop: BrokerLoop, socket: SocketBinder,
    configuration: ServerConfiguration = .init(), notifier: ServiceNotifier, logger: Logger,
    whenReady: @escaping @Sendable () -> Void
  ) {
    self.store = store
    self.loop = loop
    self.socket = socket
    self.configuration = configuration
    self.notifier = notifier
    self.logger = logger
    self.whenReady = whenReady
  }

  /// Serves until the graceful shutdown, which lets what is under way finish.
  ///
  /// - Throws: UNKNOWN_OUTCOME when the store failed; the process must end, and its successor recovers. Else what
  ///   kept it from serving at all.
  public func run() async throws {
    var failure: (any Error)?
    do { try await serve(on: loop.eventLoop) } catch { failure = error }
    // A store that failed leaves it to the next start to find out what its last transaction came to.
    await store.close()
    socket.remove()
    try await loop.shutDown()
    if let failure { throw failure }
  }

  private func serve(on eventLoop: any EventLoop) async throws {
    let limits = configuration.limited(toDescriptors: ProcessUsage.raiseDescriptorLimit())
      .sharing(store)
    let recovery = try await store.recover()
    let sockets = try await SocketTurn.open(on: eventLoop)
    let ending = eventLoop.makePromise(of: Void.self)
    let broker = try await eventLoop.submit { [store, logger] in
      let broker = Broker(
        store: store, recovery: recovery, configuration: limits, eventLoop: eventLoop, sockets: sockets.value,
        logger: logger)
      broker.start { ending.fail($0) }
      return NIOLoopBound(broker, eventLoop: eventLoop)
    }.get()
    let server = try await listen(broker, limits, on: eventLoop)
    let watchdog = startWatchdog(on: eventLoop)
    whenReady()
    notifier.notify("READY=1\nSTATUS=Serving \(socket.path)")
    await withGracefulShutdownHandler {
      // The result is read below; a failure of the store ends the wait as a shutdown does.
      _ = try? await ending.futureResult.get()
    } onGracefulShutdown: {
      notifier.notify("STOPPING=1")
      logger.info("shutting down: answering what is under way")
      eventLoop.scheduleTask(in: TimeAmount(limits.drainTimeout)) { ending.succeed() }
      server.close().whenComplete { _ in broker.value.drain { ending.succeed() } }
    }
    watchdog?.cancel()
    try? await server.close()
    try await eventLoop.submit { broker.value.stop() }.get()
    try await ending.futureResult.get()
  }

  private func listen(
    _ broker: NIOLoopBound<Broker>, _ configuration: ServerConfiguration, on eventLoop: any EventLoop
  ) async throws -> any Channel {
    try await ServerBootstrap(group: eventLoop)
      .serverChannelOption(.backlog, value: 4096)
      // One read a turn, of a size that holds the usual burst: measured twice as fast as the defaults, and fair.
      .childChannelOption(.maxMessagesPerRead, value: 1)
      .childChannelOption(
        .recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: ServerConfiguration.readSize)
      )
      // Writable only while it keeps nothing, for no frame is as short as a byte: what the socket itself holds is enough
      // for a client to read.
      .childChannelOption(.writeBufferWaterMark, value: .init(low: 1, high: 1))
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          let pipeline = channel.pipeline.syncOperations
          let credentials = try pipeline.withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) {
            try PeerCredentials.read(from: $0)
          }
          guard let credentials else { throw ChannelError.operationUnsupported }
          let connection = Connection(
            id: broker.value.nextConnectionID(), credentials: credentials, broker: broker.value,
            frameTimeout: configuration.frameTimeout)
          try pipeline.addHandler(connection)
        }
      }
      .withBoundSocket(socket.descriptor).get()
  }

  private func startWatchdog(on eventLoop: any EventLoop) -> RepeatedTask? {
    guard let interval = notifier.watchdogInterval else { return nil }
    let period = TimeAmount(interval / 2)
    return eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: period) { _ in
      notifier.feedWatchdog()
    }
  }
}

extension ServerConfiguration {
  /// With a look at what others do, for a store that others use too.
  fileprivate func sharing(_ store: any JobStore) -> ServerConfiguration {
    var sharing = self
    sharing.core.pollInterval = store.pollInterval
    sharing.core.pollSeed = .random(in: 0...(.max))
    return sharing
  }

  /// With no more connections than there are descriptors for, beside those of the store and the loop.
  fileprivate func limited(toDescriptors descriptors: Int) -> ServerConfiguration {
    var limited = self
    limited.maxConnections = min(maxConnections, max(1, descriptors - 64))
    return limited
  }
}
