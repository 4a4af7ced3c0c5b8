import JobModel
import JobProtocol
import NIOCore
import NIOPosix

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

// Dialling, the handshake, and what becomes of the requests when a connection is lost.
extension Session {
  /// How long the broker may take to answer a hello when requests have no time limit.
  private static let patience: Duration = .seconds(30)
  private static let triesAtBusyBroker = 10

  /// Connects; `opened` is told once, nil when the broker said welcome.
  func open(waitsForBroker: Bool, opened: @escaping (JobError?) -> Void) {
    if case .closed(let error) = state { return opened(error) }
    self.waitsForBroker = waitsForBroker
    self.opened = opened
    dial()
  }

  func isCurrent(_ handler: ConnectionHandler) -> Bool {
    switch state {
    case .greeting(let current), .ready(let current): current === handler
    case .away, .closed: false
    }
  }

  private func dial() {
    guard case .away = state else { return }
    switch SocketOwner.objection(to: configuration.socketPath, uid: getuid()) {
    case .missing(let code): return retryLater(noBroker(String(cString: strerror(code)) + "."))
    case .foreign(let error): return close(with: error)
    case nil: break
    }
    let session = NIOLoopBound(self, eventLoop: eventLoop)
    ClientBootstrap(group: eventLoop)
      // One read of 8 KiB a turn: a reply is far smaller, and a second read would only be told there is no more.
      .channelOption(.maxMessagesPerRead, value: 1)
      .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 8192))
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(ConnectionHandler(session: session.value))
        }
      }
      .connect(unixDomainSocketPath: configuration.socketPath)
      .whenFailure { session.value.dialFailed($0) }
  }

  private func dialFailed(_ error: any Error) {
    guard case .away = state else { return }
    if let error = error as? SocketAddressError, case .unixDomainSocketPathTooLong = error {
      let path = configuration.socketPath
      return close(with: JobError(.invalidArgument, "The socket's path is too long for a socket: \(path)."))
    }
    let code = (error as? IOError)?.errnoCode
    // EAGAIN: a broker is there, but more clients than it has room for are at its door (connect(2)).
    retryLater(
      noBroker((code.map { String(cString: strerror($0)) } ?? "\(error)") + "."),
      isBusy: code == EAGAIN && failures < Self.triesAtBusyBroker)
  }

  private func noBroker(_ reason: String) -> JobError {
    let path = configuration.socketPath
    return JobError(
      .unavailable, "No broker answers at \(path). \(reason) Start one with: jobbrokerd --socket \(path)")
  }

  /// Dials again after a while, or gives up when that is not wanted.
  private func retryLater(_ error: JobError, isBusy: Bool = false) {
    let goesOn = opened == nil ? configuration.reconnects : waitsForBroker
    guard goesOn || isBusy else { return close(with: error) }
    failures += 1
    let delay = configuration.backoff.delay(afterFailures: failures)
    logger.debug("dials again", metadata: ["in": "\(delay)", "because": "\(error)"])
    after(delay) { self.dial() }
  }

  // MARK: Handshake

  func connected(_ handler: ConnectionHandler) {
    guard case .away = state else { return handler.close() }
    state = .greeting(handler)
    parting = nil
    let hello = Hello(
      client: configuration.clientName, workerName: configuration.workerName,
      readOnly: configuration.isReadOnly)
    do {
      try transmit(SharedState.helloID, .hello(hello))
    } catch {
      return close(with: error)
    }
    greetingTimer = after(configuration.requestTimeout ?? Self.patience) {
      guard case .greeting = self.state, self.isCurrent(handler) else { return }
      self.lost(handler, "The broker did not answer the hello.")
      handler.close()
    }
  }

  /// The first answer of a connection.
  func greeted(with response: Response, by handler: ConnectionHandler) {
    greetingTimer?.cancel()
    switch response.reply {
    case .welcome(let welcome) where response.id == SharedState.helloID:
      guard welcome.protocolVersion == Hello.currentVersion else {
        let error =
          "The broker speaks version \(welcome.protocolVersion) of the protocol, this client version"
        return close(with: JobError(.unsupported, "\(error) \(Hello.currentVersion)."))
      }
      line.places = max(1, welcome.maxInFlight)
      state = .ready(handler)
      let isAgain = opened == nil
      logger.log(
        level: isAgain ? .notice : .debug, isAgain ? "connected again" : "connected",
        metadata: ["server": "\(welcome.server)"])
      shared.connected(welcome)
      opened?(nil)
      opened = nil
      // The claims come first: the broker gives away those it does not hear of within its reconnect grace.
      keeper.renewAll()
      reopenWatches()
      sendLine()
    case .error(let error) where [.unavailable, .resourceExhausted].contains(error.code):
      parting = error
      lost(handler, error.message)
      handler.close()
    case .error(let error):
      close(with: error)
    default:
      violated(by: handler, "it does not answer the hello.")
    }
  }

  // MARK: Loss and end

  /// The peer does not speak the protocol. What it was sent is not sent again: it would answer no better.
  func violated(by handler: ConnectionHandler, _ what: String) {
    guard isCurrent(handler) else { return }
    let reason = "The peer at \(configuration.socketPath) is not a broker, or out of step: \(what)"
    logger.error("protocol violated", metadata: ["by": "\(configuration.socketPath)", "what": "\(what)"])
    lost(handler, reason, repeats: false)
    handler.close()
  }

  /// The connection is gone: what was under way goes back into line, or ends.
  func lost(_ handler: ConnectionHandler, _ reason: String, repeats: Bool = true) {
    guard isCurrent(handler) else { return }
    let reason = parting.map { "\(reason) \($0.message)" } ?? reason
    let isGreeting = if case .greeting = state { true } else { false }
    greetingTimer?.cancel()
    state = .away
    discardOutgoing()
    guard !isGreeting else { return retryLater(parting ?? noBroker(reason)) }

    guard configuration.reconnects else { return close(with: JobError(.unavailable, reason)) }
    logger.notice("connection lost", metadata: ["because": "\(reason)"])
    line.clear()
    for (id, request) in pending.sorted(by: { $0.key < $1.key }) {
      let goesOn = request.stage != .sent || repeats && request.isSentAgain
      if goesOn, !request.isOfItsConnection {
        pending[id]?.stage = .queued
        line.add(id, request.kind)
      } else {
        pending[id] = nil
        let error = request.interruption(reason)
        let isGarbled = !repeats && error.code == .unavailable
        request.resolve(with: .error(isGarbled ? JobError(.internal, reason) : error))
      }
    }
    interruptWatches()
    retryLater(JobError(.unavailable, reason))
  }

  /// The end: of the connection, and of every call.
  func close(with error: JobError) {
    if case .closed = state { return }
    flush()
    let handler: ConnectionHandler? =
      switch state {
      case .greeting(let handler), .ready(let handler): handler
      case .away, .closed: nil
      }
    state = .closed(error)
    shared.ended(error)
    stopWaking()
    greetingTimer?.cancel()
    handler?.close()
    opened?(error)
    opened = nil
    let requests = pending.sorted { $0.key < $1.key }
    pending = [:]
    line.clear()
    for (_, request) in requests {
      let interruption = request.interruption(error.message)
      request.resolve(with: .error(interruption.code == .unavailable ? error : interruption))
    }
    endWatches(with: error)
    keeper.end()
  }
}
