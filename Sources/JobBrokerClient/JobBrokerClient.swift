import JobProtocol
import Logging
import NIOCore
import NIOPosix

/// A connection to the broker, for any number of callers at a time.
///
/// A lost connection is made again by itself. Requests that may be repeated are then sent again, in their order,
/// with the same content; a waiting claim waits on; a watch tells that it was interrupted and begins anew. The others
/// end with UNKNOWN_OUTCOME: read the job before repeating them.
///
/// A caller whose task is cancelled returns at once: with UNAVAILABLE when nothing was sent or the request may be
/// repeated, else with UNKNOWN_OUTCOME.
public final class JobBrokerClient: Sendable {
  /// What it was made with.
  public let configuration: Configuration
  /// The loop on which its connection lives.
  public let eventLoop: any EventLoop
  /// Runs tasks on that loop: the cheapest place to call this client from.
  public let taskExecutor: EventLoopTaskExecutor

  private let session: NIOLoopBound<Session>
  private let shared: SharedState

  private init(
    configuration: Configuration, eventLoop: any EventLoop, session: NIOLoopBound<Session>,
    shared: SharedState
  ) {
    self.configuration = configuration
    self.eventLoop = eventLoop
    self.taskExecutor = EventLoopTaskExecutor(eventLoop)
    self.session = session
    self.shared = shared
  }

  deinit {
    if shared.ending == nil { onLoop { $0.close(with: .clientClosed) } }
  }

  // MARK: Connecting

  /// Connects and says hello.
  ///
  /// - Parameters:
  ///   - eventLoop: where the connection lives; nil: on one of the process's shared loops.
  ///   - waitsForBroker: whether to wait until there is a broker.
  /// - Throws: UNAVAILABLE when there is no broker; the message names the socket and how to start one.
  ///   PERMISSION_DENIED or UNSUPPORTED when the broker refuses this client.
  public static func connect(
    _ configuration: Configuration = Configuration(), eventLoop: (any EventLoop)? = nil,
    logger: Logger? = nil, waitsForBroker: Bool = false
  ) async throws(JobError) -> JobBrokerClient {
    let loop = eventLoop ?? MultiThreadedEventLoopGroup.singleton.next()
    let logger = logger ?? Logger(label: "jobbroker.client", factory: { _ in SwiftLogNoOpLogHandler() })
    let shared = SharedState()
    let made = loop.submit {
      let session = Session(
        configuration: configuration, eventLoop: loop, logger: logger, shared: shared)
      return NIOLoopBound(session, eventLoop: loop)
    }
    let session: NIOLoopBound<Session>
    do {
      session = try await made.get()
    } catch {
      throw JobError(.unavailable, "The event loop has ended.")
    }
    let client = JobBrokerClient(
      configuration: configuration, eventLoop: loop, session: session, shared: shared)
    let failure = await withTaskCancellationHandler {
      await withCheckedContinuation { opened in
        client.onLoop { $0.open(waitsForBroker: waitsForBroker) { opened.resume(returning: $0) } }
      }
    } onCancel: {
      client.onLoop { $0.close(with: JobError(.unavailable, "The connecting task was cancelled.")) }
    }
    if let failure { throw failure }
    return client
  }

  /// Ends the connection, and every call that waits with UNAVAILABLE or UNKNOWN_OUTCOME. What this client claimed
  /// and did not finish goes back to the queue when the broker's reconnect grace is over.
  public func close() async {
    await withCheckedContinuation { closed in
      onLoop { session in
        session.close(with: .clientClosed)
        closed.resume()
      }
    }
  }

  /// What the broker said when this client last connected.
  public var welcome: Welcome { shared.welcome }

  /// Why every further call will fail; nil while the client is of use.
  var ending: JobError? { shared.ending }

  // MARK: Requests

  /// Sends a request and waits for its reply.
  nonisolated(nonsending) func send(_ operation: JobModel.Operation) async throws(JobError) -> Reply {
    let id = shared.newID()
    let reply = await withTaskCancellationHandler {
      await withCheckedContinuation { caller in
        // Not by `onLoop`: on the loop, this spares the hottest path a closure.
        if eventLoop.inEventLoop {
          session.value.submit(id, operation, for: .caller(caller))
        } else {
          eventLoop.execute { [session] in session.value.submit(id, operation, for: .caller(caller)) }
        }
        // The handler below may have run before there was a request for it to abandon.
        if Task.isCancelled { abandon(id) }
      }
    } onCancel: {
      abandon(id)
    }
    if case .error(let error) = reply { throw error }
    return reply
  }

  /// Sends a request and waits for its reply, even when the calling task is cancelled, but then not for long: a claim
  /// is withdrawn, and the jobs that come all the same are the reply. The jobs of a claim are kept alive from the moment
  /// they come: until the task that asked runs, much of their lease may pass, or their connection be lost.
  func sendShielded(_ operation: JobModel.Operation) async throws(JobError) -> Reply {
    let id = shared.newID()
    let reply = await withTaskCancellationHandler {
      await withCheckedContinuation { caller in
        onLoop { session in
          session.submit(
            id, operation,
            for: .action { reply in
              session.keeper.holdJobs(of: operation, reply)
              caller.resume(returning: reply)
            })
        }
        // The handler below may have run before there was a request for it to hasten.
        if Task.isCancelled { hasten(id) }
      }
    } onCancel: {
      hasten(id)
    }
    if case .error(let error) = reply { throw error }
    return reply
  }

  private func hasten(_ id: UInt64) {
    onLoop { $0.hasten(id) }
  }

  private func abandon(_ id: UInt64) {
    onLoop { $0.abandon(id, "The calling task was cancelled.") }
  }

  /// Does something with the session: at once when this already is its loop.
  func onLoop(_ action: @escaping @Sendable (Session) -> Void) {
    if eventLoop.inEventLoop {
      action(session.value)
    } else {
      eventLoop.execute { [session] in action(session.value) }
    }
  }

  // MARK: Streams

  /// Follows jobs: a snapshot, then every change. After a lost connection it begins anew by itself.
  ///
  /// - Throws: what the broker says against it.
  public func watch(_ selection: WatchSelection = WatchSelection()) async throws(JobError) -> JobWatch {
    let id = shared.newID()
    let buffer = WatchBuffer()
    let failure = await withTaskCancellationHandler {
      await withCheckedContinuation { opening in
        onLoop { $0.watch(id, selection, into: buffer, opening: opening) }
        if Task.isCancelled { abandonWatch(buffer) }
      }
    } onCancel: {
      abandonWatch(buffer)
    }
    if let failure { throw failure }
    return JobWatch(client: self, selection: selection, buffer: buffer)
  }

  private func abandonWatch(_ buffer: WatchBuffer) {
    onLoop { $0.abandonWatch(buffer) }
  }

  /// Yields once, and ends, when a claim of this connection is no longer valid: its job was cancelled, reaped,
  /// deleted, or given to somebody else. Ends empty when the client is closed.
  public func revocations(of claim: ClaimToken) -> AsyncStream<Revocation> {
    let id = shared.newID()
    return AsyncStream { listener in
      onLoop { $0.keeper.listen(id, to: claim, listener) }
      listener.onTermination = { [eventLoop, session] reason in
        guard case .cancelled = reason else { return }
        eventLoop.execute { session.value.keeper.unlisten(id, to: claim) }
      }
    }
  }

  // MARK: Held claims

  /// Keeps a claim alive until it is dropped, or takes over one that is kept since its job came.
  func hold(_ token: ClaimToken, lease: Duration) -> HeldClaim {
    let claim = HeldClaim(token)
    onLoop { $0.keeper.hold(claim, lease: lease) }
    return claim
  }

  /// Leaves a claim alone.
  func drop(_ claim: HeldClaim) {
    onLoop { $0.keeper.drop(claim.token) }
  }

  /// Reports about a claim's job, as soon as the last report is answered.
  func report(_ update: JobUpdate, of claim: HeldClaim) {
    onLoop { $0.keeper.report(update, of: claim.token) }
  }
}

extension JobError {
  static let clientClosed = JobError(.unavailable, "The client is closed.")
}
