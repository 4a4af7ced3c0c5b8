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
  private var outbound: ByteBuffer
  /// When as many bytes of responses have gathered, the others have their turn before more requests are taken.
  private static let muchAtOnce = Limits.frame
  /// A buffer of so many bytes, which is enough for most responses, is kept for the next.
  private static let keptCapacity = 1024
  /// Claims whose responses are in `outbound`, and where those end.
  private var handingOver: [(claims: [ClaimToken], end: Int)] = []
  /// What the events in `outbound` count.
  private var events = 0
  private var requests = RequestsUnderWay()
  /// Bytes that the channel keeps because the socket does not take them. It keeps a buffer until all of it is written.
  private var unwritten = 0
  private var isFlushWanted = false
  /// Bytes of memory that the client makes the broker hold, as the broker was last told.
  private(set) var held = 0
  /// Whether that is not counted any more: the connection goes at once, or is gone.
  private var isLetGo = false
  private var hasPendingRead = false
  /// Whether frames, or the rest of one, are to be looked for when requests were answered or there is room again.
  private var isHeldUp = false
  private(set) var isClosing = false
  private var hangUpTimer: Scheduled<Void>?
  private var hasRequested = false
  private var isWelcome = false
  private let deadline: FrameDeadline

  init(id: ConnectionID, credentials: PeerCredentials, broker: Broker, frameTimeout: Duration) {
    self.id = id
    self.credentials = credentials
    self.broker = broker
    self.frameTimeout = TimeAmount(frameTimeout)
    deadline = FrameDeadline(self.frameTimeout, on: broker.eventLoop) { broker.sockets($0) }
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
    hangUpTimer?.cancel()
    end()
    letGo()
    if !handingOver.isEmpty { broker.undelivered(handingOver.flatMap(\.claims)) }
    handingOver = []
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
    deadline.receive(bytes.readableBytes)
    reader.append(&bytes)
    receiveFrames()
  }

  func read(context: ChannelHandlerContext) {
    if mayReceive { context.read() } else { hasPendingRead = true }
  }

  private var mayReceive: Bool {
    unwritten == 0 && outbound.readableBytes <= Self.muchAtOnce && context != nil && !isClosing
      && requests.unanswered < Limits.inFlight && requests.unansweredSize < ServerConfiguration.maxUnanswered
  }

  private func receiveFrames() {
    isHeldUp = true
    while mayReceive {
      let frame: ByteBuffer?
      do { frame = try reader.next() } catch {
        send(Response(id: 0, reply: .error(error)))
        return close()
      }
      guard let frame else {
        isHeldUp = false
        break
      }
      deadline.stop()
      hasRequested = true
      receive(frame)
    }
    if !isHeldUp, !deadline.isRunning, reader.hasPartialFrame || !hasRequested { startDeadline() }
    countHeld()
  }

  private func receive(_ frame: ByteBuffer) {
    do throws(DecodingFailure) {
      let request = try frame.withUnsafeReadableBytes { body throws(DecodingFailure) in
        try broker.codec.decodeRequest(body)
      }
      guard requests.begin(request, frame: frame.readableBytes) else {
        let message = "Request \(request.id) is still under way; give each an id of its own."
        return write(Response(id: request.id, reply: .error(JobError(.invalidArgument, message))))
      }
      broker.receive(request, from: self)
    } catch {
      write(Response(id: error.id, reply: .error(error.error)))
      // A first request that can't be read was no hello.
      if error.isFatal || !isWelcome { close() }
    }
  }

  /// Goes on with what was left while too much was unanswered.
  private func resume() {
    if isHeldUp, mayReceive { receiveFrames() }
    if hasPendingRead, mayReceive, let context {
      hasPendingRead = false
      context.read()
    }
  }

  /// A peer that begins a frame, or connects, and then says nothing does not keep its place for ever.
  private func startDeadline() {
    deadline.start { [self] in
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
    if case .event(let event) = response.reply { events += event.size }
    switch response.reply {
    case .event, .revoked, .snapshot(_, more: true, _): break
    case .snapshot: requests.answered(response.id, isFollowing: true)
    case .done: requests.answered(response.id, endsWatch: true)
    case .welcome:
      isWelcome = true
      requests.answered(response.id)
    default: requests.answered(response.id)
    }
    write(response, handingOver: claims)
  }

  private func write(_ response: Response, handingOver claims: [ClaimToken] = []) {
    broker.codec.encode(response, into: &outbound)
    if !claims.isEmpty { handingOver.append((claims, outbound.writerIndex)) }
    countHeld()
    wantFlush()
  }

  private func wantFlush() {
    if isFlushWanted { return }
    isFlushWanted = true
    broker.needsFlush(self)
  }

  /// Sends what has gathered.
  func flush() {
    isFlushWanted = false
    let isMuch = outbound.readableBytes > Self.muchAtOnce
    if outbound.readableBytes > 0, let context { writeOut(context) }
    if events > 0 {
      let written = events
      events = 0
      broker.eventsWritten(written, to: self)
    }
    if isClosing {
      if !isFlushWanted { hangUp() }
    } else if isMuch {
      broker.sockets { [self] in resume() }
    } else {
      resume()
    }
  }

  /// A claim is handed over when the socket has taken its response, whatever becomes of what is behind that.
  private func writeOut(_ context: ChannelHandlerContext) {
    let handovers = handingOver
    var rest = outbound
    (outbound, handingOver) = (ByteBuffer(), [])
    var last: [ClaimToken] = []
    for (claims, end) in handovers {
      if end == rest.writerIndex { last = claims }
      guard end < rest.writerIndex, let part = rest.readSlice(length: end - rest.readerIndex) else { break }
      if !isTaken(part, context) { waitForSocket(toTake: part.readableBytes, handingOver: claims, context) }
    }
    if !isTaken(rest, context) {
      waitForSocket(toTake: rest.storageCapacity, handingOver: last, context)
    } else if rest.storageCapacity <= Self.keptCapacity, outbound.readableBytes == 0 {
      rest.clear()
      outbound = rest
    }
    countHeld()
  }

  /// Writes, and says whether the socket took all of it: the channel is writable as long as it keeps nothing (see
  /// `BrokerService`). After a failed write the context is gone.
  private func isTaken(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) -> Bool {
    context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
    return self.context != nil && context.channel.isWritable
  }

  /// What was just written was not taken, or not all of it. An empty buffer behind it tells when it is.
  private func waitForSocket(
    toTake size: Int, handingOver claims: [ClaimToken], _ context: ChannelHandlerContext
  ) {
    if unwritten == 0 { roomChanged(false) }
    unwritten += size
    let written = context.eventLoop.makePromise(of: Void.self)
    written.futureResult.assumeIsolated().whenComplete { [self] result in
      unwritten -= size
      countHeld()
      if case .failure = result {
        if !claims.isEmpty { broker.undelivered(claims) }
      } else if unwritten == 0, !isClosing {
        roomChanged(true)
      }
      broker.writeEnded()
      if isClosing { wantFlush() }
    }
    broker.writeBegan()
    context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: written)
  }

  private func roomChanged(_ hasRoom: Bool) {
    broker.roomChanged(hasRoom, of: self)
    if hasRoom { return resume() }
    // What is not read can't be late.
    deadline.stop()
    isHeldUp = true
  }

  /// Closes when everything is written; a peer that does not take it has as long as for a frame.
  private func hangUp() {
    guard let context else { return }
    if unwritten == 0 || isLetGo { return context.close(promise: nil) }
    if hangUpTimer != nil { return }
    hangUpTimer = context.eventLoop.assumeIsolated().scheduleTask(in: frameTimeout) { [self] in
      self.context?.close(promise: nil)
    }
  }

  // MARK: Memory

  private func countHeld() {
    if isLetGo { return }
    let now = reader.heldBytes + requests.size + outbound.storageCapacity + unwritten
    let difference = now - held
    held = now
    if difference != 0 { broker.heldChanged(by: difference) }
  }

  /// From now on the connection holds nothing.
  private func letGo() {
    broker.heldChanged(by: -held)
    held = 0
    isLetGo = true
  }

  // MARK: The end

  /// Ends the connection because the broker holds too much for it. What it has not read is dropped.
  func cutOff() {
    letGo()
    close()
    let message =
      "The broker has too much in memory, and most of it for this connection: large requests that have begun or are "
      + "not answered, responses that were not read. Connect again and repeat them later."
    write(Response(id: 0, reply: .error(JobError(.resourceExhausted, message))))
  }

  /// Ends the connection after what was sent to it.
  func close() {
    wantFlush()
    end()
  }

  /// From now on nothing is received or sent.
  private func end() {
    if isClosing { return }
    isClosing = true
    deadline.stop()
    let left = requests.unansweredSize
    (reader, requests) = (FrameReader(), RequestsUnderWay())
    countHeld()
    broker.connectionEnds(self, leaving: left)
  }
}
