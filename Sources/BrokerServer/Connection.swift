import BrokerCore
import JobModel
import JobProtocol
import NIOCore

/// One client's connection: cuts its bytes into requests, and puts responses into its bytes.
///
/// It reads no further while as many requests are unanswered as the handshake allows, or while the client does
/// not take its responses: a flood slows its sender, never the others.
final class Connection: ChannelDuplexHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundIn = Never
  typealias OutboundOut = ByteBuffer

  let id: ConnectionID
  let credentials: PeerCredentials
  private let broker: Broker
  private let frameTimeout: TimeAmount
  private var context: ChannelHandlerContext?
  private var reader = FrameReader()
  /// How much of what waits in the reader the broker has counted.
  private var countedBytes = 0
  private var outbound: ByteBuffer
  /// Claims whose responses are in `outbound`.
  private var handingOver: [ClaimToken] = []
  /// What the events in `outbound` count.
  private var events = 0
  private(set) var inFlight = 0
  /// Bytes that wait for the client to read, while it is behind.
  private(set) var unsent = 0
  private var hasPendingRead = false
  private var isClosing = false
  private var hasRequested = false
  private var deadline: Scheduled<Void>?

  init(id: ConnectionID, credentials: PeerCredentials, broker: Broker, frameTimeout: Duration) {
    self.id = id
    self.credentials = credentials
    self.broker = broker
    self.frameTimeout = TimeAmount(frameTimeout)
    outbound = ByteBuffer()
  }

  func channelActive(context: ChannelHandlerContext) {
    self.context = context
    if let refusal = broker.admit(self) {
      send(Response(id: 0, reply: .error(refusal)))
      return close()
    }
    startDeadline()
    context.fireChannelActive()
  }

  func channelInactive(context: ChannelHandlerContext) {
    self.context = nil
    deadline?.cancel()
    broker.partialFrames -= countedBytes
    broker.unsentChanged(by: -unsent)
    unsent = 0
    broker.connectionClosed(self)
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }

  // MARK: Reading

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var bytes = unwrapInboundIn(data)
    if isClosing { return }
    reader.append(&bytes)
    receiveFrames()
  }

  func read(context: ChannelHandlerContext) {
    if mayReceive { context.read() } else { hasPendingRead = true }
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    countUnsent()
    broker.roomChanged(context.channel.isWritable, of: self)
    if context.channel.isWritable { resume() }
    context.fireChannelWritabilityChanged()
  }

  private var mayReceive: Bool {
    inFlight < Limits.inFlight && context?.channel.isWritable == true && !isClosing
  }

  private func receiveFrames() {
    while mayReceive {
      let frame: ByteBuffer?
      do { frame = try reader.next() } catch {
        send(Response(id: 0, reply: .error(error)))
        return close()
      }
      guard let frame else { break }
      deadline?.cancel()
      deadline = nil
      inFlight += 1
      hasRequested = true
      do throws(DecodingFailure) {
        let request = try frame.withUnsafeReadableBytes { body throws(DecodingFailure) in
          try broker.codec.decodeRequest(body)
        }
        broker.receive(request, from: self)
      } catch {
        send(Response(id: error.id, reply: .error(error.error)))
        if error.isFatal { close() }
      }
    }
    if deadline == nil, reader.hasPartialFrame || !hasRequested, mayReceive { startDeadline() }
    countPartialFrame()
  }

  /// Small frames always have room; the large ones, begun and not ended, share what the broker has for them.
  private func countPartialFrame() {
    let size = reader.pendingBytes > ServerConfiguration.smallFrame ? reader.pendingBytes : 0
    if size == countedBytes { return }
    broker.partialFrames += size - countedBytes
    let isMore = size > countedBytes
    countedBytes = size
    guard isMore, broker.partialFrames > ServerConfiguration.maxPartialFrames, !isClosing else { return }
    let error = JobError(
      .resourceExhausted,
      "Too many large requests are on their way at a time; connect again and repeat it later.")
    send(Response(id: 0, reply: .error(error)))
    close()
  }

  /// Goes on with what was left while too much was unanswered.
  private func resume() {
    guard mayReceive else { return }
    receiveFrames()
    if hasPendingRead, mayReceive, let context {
      hasPendingRead = false
      context.read()
    }
  }

  /// A peer that begins a frame, or connects, and then says nothing does not keep its place for ever.
  private func startDeadline() {
    deadline = context?.eventLoop.assumeIsolated().scheduleTask(in: frameTimeout) { [self] in
      let what = hasRequested ? "The rest of the frame" : "The first request"
      let error = JobError(
        .invalidArgument, "\(what) did not arrive in \(Double(frameTimeout.nanoseconds) / 1e9) s.")
      send(Response(id: 0, reply: .error(error)))
      close()
    }
  }

  // MARK: Writing

  /// Adds a response to what the next `flush` sends.
  func send(_ response: Response, handingOver claims: [ClaimToken] = []) {
    guard context != nil, !isClosing else {
      if !claims.isEmpty { broker.undelivered(claims) }
      return
    }
    broker.codec.encode(response, into: &outbound)
    handingOver += claims
    if case .event(let event) = response.reply { events += event.size }
    if response.answersRequest, inFlight > 0 { inFlight -= 1 }
    broker.needsFlush(self)
  }

  /// Sends what has gathered, in one write.
  func flush() {
    if outbound.readableBytes > 0, let context {
      let claims = handingOver
      handingOver = []
      let bytes = outbound
      outbound = ByteBuffer()
      if claims.isEmpty {
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
      } else {
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenFailure { [broker] _ in broker.undelivered(claims) }
        context.writeAndFlush(wrapOutboundOut(bytes), promise: written)
      }
    }
    countUnsent()
    if events > 0 {
      let written = events
      events = 0
      broker.eventsWritten(written, to: self)
    }
    if isClosing { context?.close(promise: nil) } else { resume() }
  }

  private func countUnsent() {
    guard let channel = context?.channel else { return }
    let size =
      channel.isWritable ? 0 : (try? channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? unsent
    if size == unsent { return }
    let difference = size - unsent
    unsent = size
    broker.unsentChanged(by: difference)
  }

  /// Ends the connection, and drops what was sent to it.
  func cutOff() {
    isClosing = true
    context?.close(promise: nil)
  }

  /// Ends the connection after what was sent to it.
  func close() {
    isClosing = true
    broker.needsFlush(self)
  }
}

extension Response {
  /// Whether it ends a request, rather than being a notice, an event, or a snapshot with more to come.
  fileprivate var answersRequest: Bool {
    switch reply {
    case .event, .revoked: false
    case .snapshot(_, let more, _): !more
    default: true
    }
  }
}
