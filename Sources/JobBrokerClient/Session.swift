import JobProtocol
import Logging
import NIOCore

/// The requests of one client and the connection that carries them. Lives on one event loop; nothing in it locks.
///
/// Nothing refers to it weakly: an object that something ever did is slower to retain, and this one is retained for
/// every request. Timers are cancelled at its end instead.
///
/// This file has the requests, `Session+Connection` the connection, `Session+Watches` the watches.
final class Session {
  enum State {
    /// No connection; the next try is under way or scheduled.
    case away
    /// Connected; the broker has not answered the hello.
    case greeting(ConnectionHandler)
    case ready(ConnectionHandler)
    case closed(JobError)
  }

  /// Requests that nobody answers may end this part of their timeout late, so that one timer ends many.
  private static let expiriesPerTimeout = 16

  let configuration: JobBrokerClient.Configuration
  let eventLoop: any EventLoop
  let logger: Logger
  let codec = MessageCodec()
  let shared: SharedState

  var state = State.away
  /// Ends `connect`; nil once it has returned.
  var opened: ((JobError?) -> Void)?
  var waitsForBroker = false
  /// Failures in a row, for the backoff.
  var failures = 0
  /// Why the broker is about to end the connection, when it said so.
  var parting: JobError?

  var pending: [UInt64: PendingRequest] = [:]
  var line = RequestLine()
  var watches: [UInt64: WatchState] = [:]
  /// The highest id of a watch that ended before the broker did. It stands for all of them: ids are not used again, and
  /// nobody says when the last reply to one has come.
  var lastEndedWatch: UInt64 = 0
  private(set) lazy var keeper = ClaimKeeper(session: self)

  private var outgoing = ByteBuffer()
  private var willFlush = false
  /// When the first request will have waited too long. Nothing runs while there is none: an idle client wakes nobody.
  private(set) var wakes = NIODeadline.distantFuture
  private var waker: Scheduled<Void>?
  /// Ends a handshake that takes too long.
  var greetingTimer: Scheduled<Void>?

  init(
    configuration: JobBrokerClient.Configuration, eventLoop: any EventLoop, logger: Logger,
    shared: SharedState
  ) {
    self.configuration = configuration
    self.eventLoop = eventLoop
    self.logger = logger
    self.shared = shared
  }

  // MARK: Requests

  /// Sends a request as soon as there is a connection and a place for it.
  ///
  /// - Parameters:
  ///   - isRepeated: whether it is sent again when its connection is lost; nil: when that is safe; false: it is about that
  ///     connection.
  func submit(
    _ id: UInt64, _ operation: JobModel.Operation, for recipient: PendingRequest.Recipient,
    isRepeated: Bool? = nil
  ) {
    var wait = Duration.zero
    if case .claim(let claim) = operation { wait = claim.wait }
    let request = PendingRequest(
      operation: operation, kind: RequestLine.Kind(operation), recipient: recipient,
      expiry: expiry(after: wait),
      isRepeated: isRepeated ?? operation.isRepeatable, isOfItsConnection: isRepeated == false,
      waitEnds: wait > .zero ? .now() + TimeAmount(wait) : nil)
    if case .closed(let error) = state { return request.resolve(with: .error(error)) }
    wake(at: request.expiry)
    guard case .ready = state, line.takePlace(request.kind) else {
      pending[id] = request
      line.add(id, request.kind)
      return sendLine()
    }
    send(id, request, as: operation)
  }

  /// The caller of a request has gone, or has waited too long.
  func abandon(_ id: UInt64, _ reason: String) {
    guard let request = pending[id], !request.isAbandoned else { return }
    if request.stage == .sent {
      // So that no job is taken for nobody; one that is on its way already is given back when it comes.
      withdraw(id)
      pending[id]?.recipient = .nobody
    } else {
      pending[id] = nil
    }
    request.resolve(with: .error(request.interruption(reason)))
  }

  /// The caller of a request is about to end: his claim waits no longer, and he not long for any reply.
  func hasten(_ id: UInt64) {
    guard let request = pending[id] else { return }
    if case .claim = request.operation, request.stage != .sent {
      pending[id] = nil
      return request.resolve(with: .claimed([]))
    }
    withdraw(id)
    request.patience?.cancel()
    let patience = configuration.lastPatience
    pending[id]?.patience = after(patience) { self.abandon(id, "No reply came within \(patience).") }
  }

  /// Ends the wait of a claim that was sent: it is answered at once.
  private func withdraw(_ id: UInt64) {
    guard let request = pending[id], request.kind == .waiting, !request.isWithdrawn else { return }
    pending[id]?.isWithdrawn = true
    submit(shared.newID(), .withdraw(id: id), for: .nobody, isRepeated: false)
  }

  /// Sends what is in line, as far as the broker's limit on requests in flight allows.
  func sendLine() {
    guard case .ready = state else { return }
    while let id = line.next({ pending[$0].flatMap { $0.stage == .queued ? $0.kind : nil } }),
      let request = pending[id]
    {
      send(id, request, as: request.operationAfterLine)
    }
  }

  /// Sends a request that has a place.
  private func send(_ id: UInt64, _ request: PendingRequest, as operation: JobModel.Operation) {
    var request = request
    do {
      request.size = try transmit(id, operation)
    } catch {
      pending[id] = nil
      line.givePlace(request.kind, size: 0)
      return request.resolve(with: .error(error))
    }
    line.sent(request.size)
    request.stage = .sent
    pending[id] = request
  }

  /// Puts a request into what the end of this turn of the loop writes.
  ///
  /// - Returns: its size.
  @discardableResult
  func transmit(_ id: UInt64, _ operation: JobModel.Operation) throws(JobError) -> Int {
    let before = outgoing.readableBytes
    try codec.encode(Request(id: id, operation: operation), into: &outgoing)
    if !willFlush {
      willFlush = true
      eventLoop.assumeIsolated().execute { self.flush() }
    }
    return outgoing.readableBytes - before
  }

  /// Writes what was put together.
  func flush() {
    willFlush = false
    guard outgoing.readableBytes > 0 else { return }
    switch state {
    case .greeting(let handler), .ready(let handler): handler.write(outgoing)
    case .away, .closed: break
    }
    outgoing.clear()
  }

  /// Forgets what was put together for a connection that is gone.
  func discardOutgoing() {
    outgoing.clear()
  }

  // MARK: Replies

  func receive(_ response: Response, from handler: ConnectionHandler) {
    guard isCurrent(handler) else { return }
    if case .greeting = state { return greeted(with: response, by: handler) }
    guard let request = pending.removeValue(forKey: response.id) else {
      return receiveUnasked(response, from: handler)
    }
    guard request.stage == .sent else {
      pending[response.id] = request
      return violated(by: handler, "it answers request \(response.id) before it was sent.")
    }
    line.givePlace(request.kind, size: request.size)
    if case .error(let error) = response.reply {
      if error.code == .unavailable, configuration.reconnects, request.isSentAgain,
        case .claim = request.operation
      {
        park(response.id, request)
      } else {
        request.resolve(with: response.reply)
      }
    } else {
      failures = 0
      if request.isAbandoned, case .claimed(let jobs) = response.reply { giveBack(jobs) }
      request.resolve(with: response.reply)
    }
    sendLine()
  }

  /// What answers no pending request: watches, notices, and what should not be.
  private func receiveUnasked(_ response: Response, from handler: ConnectionHandler) {
    if watches[response.id] != nil { return receiveForWatch(response, from: handler) }
    switch response.reply {
    case .revoked(let revocation): keeper.revoke(revocation)
    case .error(let error) where response.id == 0: parting = error
    // Of a watch that ended a moment ago; the broker may refuse it even after it has answered the unwatch.
    case .event, .snapshot: break
    case .error where response.id <= lastEndedWatch: break
    default: violated(by: handler, "it answers request \(response.id), which nobody made.")
    }
  }

  /// A draining broker refused this claim: tries again later, on this connection or the next.
  private func park(_ id: UInt64, _ request: PendingRequest) {
    var request = request
    request.stage = .parked
    pending[id] = request
    failures += 1
    after(configuration.backoff.delay(afterFailures: failures)) {
      guard let request = self.pending[id], request.stage == .parked else { return }
      self.pending[id]?.stage = .queued
      self.line.add(id, request.kind)
      self.sendLine()
    }
  }

  /// Jobs came for a claim whose caller has gone.
  private func giveBack(_ jobs: [Job]) {
    for job in jobs {
      // Not for nobody, whose requests end with their connection.
      submit(shared.newID(), .release(job.id, attempt: job.attempt, delay: .zero), for: .action { _ in })
    }
  }

  // MARK: Time

  /// Does `action` later, on the loop.
  @discardableResult
  func after(_ delay: Duration, _ action: @escaping () -> Void) -> Scheduled<Void> {
    eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(delay), action)
  }

  /// When a request made now has waited too long.
  func expiry(after wait: Duration = .zero) -> NIODeadline {
    guard let timeout = configuration.requestTimeout else { return .distantFuture }
    return .now() + TimeAmount(wait) + TimeAmount(timeout)
  }

  /// Sees to it that what will have waited too long at some moment ends then.
  func wake(at moment: NIODeadline) {
    guard moment < wakes else { return }
    wakes = moment
    waker?.cancel()
    waker = eventLoop.assumeIsolated().scheduleTask(deadline: moment) { self.expire() }
  }

  func stopWaking() {
    waker?.cancel()
  }

  private func expire() {
    wakes = .distantFuture
    let timeout = configuration.requestTimeout ?? .zero
    let reason = "No reply came within \(timeout)."
    let now = NIODeadline.now()
    var next = NIODeadline.distantFuture
    for (id, request) in pending where !request.isAbandoned {
      if request.expiry <= now { abandon(id, reason) } else { next = min(next, request.expiry) }
    }
    for (id, watch) in watches where watch.opening != nil {
      if watch.expiry <= now {
        endWatch(id, with: JobError(.unavailable, reason))
      } else {
        next = min(next, watch.expiry)
      }
    }
    if next < .distantFuture { wake(at: max(next, now + TimeAmount(timeout / Self.expiriesPerTimeout))) }
  }
}
