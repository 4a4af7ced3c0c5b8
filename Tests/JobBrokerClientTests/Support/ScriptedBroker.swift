import JobBrokerClient
import JobModel
import JobProtocol
import NIOCore
import NIOPosix
import Testing

/// A peer that does what the test tells it: accepts connections, shows the requests, sends what it is given.
final class ScriptedBroker: Sendable {
  let path: String
  private let server: any Channel
  private let accepted: Mailbox<Connection>

  /// A path for a socket that no other test uses.
  static func newPath() -> String { "/tmp/jobbroker-client-\(JobID.timeOrdered().hexadecimal).sock" }

  init(at path: String = ScriptedBroker.newPath()) async throws {
    self.path = path
    let accepted = Mailbox<Connection>()
    self.accepted = accepted
    server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          let connection = Connection(channel)
          try channel.pipeline.syncOperations.addHandler(Receiver(connection.requests))
          accepted.put(connection)
        }
      }
      .bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true).get()
  }

  /// The next connection, not greeted yet.
  func accept() async throws -> Connection {
    try #require(await accepted.take())
  }

  /// The next connection, greeted.
  func welcome(maxInFlight: Int = Limits.inFlight) async throws -> Connection {
    let connection = try await accept()
    let (id, hello) = try await connection.next()
    guard case .hello = hello else {
      Issue.record("the first request is \(hello)")
      return connection
    }
    connection.reply(to: id, .welcome(Welcome(server: "scripted", maxInFlight: maxInFlight)))
    return connection
  }

  /// Accepts no more connections.
  func stop() async throws {
    try await server.close()
  }

  deinit {
    server.close(promise: nil)
  }

  /// The broker's end of a connection.
  struct Connection: Sendable {
    fileprivate let channel: any Channel
    fileprivate let requests = Mailbox<Request>()

    fileprivate init(_ channel: any Channel) { self.channel = channel }

    /// The next request.
    func next() async throws -> (id: UInt64, operation: JobModel.Operation) {
      let request = try #require(await requests.take(), "the client closed the connection")
      return (request.id, request.operation)
    }

    /// Whether the client closes the connection before another request.
    func isClosedByClient() async -> Bool { await requests.take() == nil }

    /// Requests that came and were not looked at, once all that was read together is decoded.
    func backlog() async throws -> Int {
      try await channel.eventLoop.submit {}.get()
      return requests.count
    }

    func reply(to id: UInt64, _ reply: Reply) {
      send(Self.frame(id, reply))
    }

    static func frame(_ id: UInt64, _ reply: Reply) -> ByteBuffer {
      var bytes = ByteBuffer()
      MessageCodec().encode(Response(id: id, reply: reply), into: &bytes)
      return bytes
    }

    func send(_ bytes: ByteBuffer) {
      channel.writeAndFlush(bytes, promise: nil)
    }

    func close() async throws {
      try await channel.close()
    }
  }

  private final class Receiver: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let requests: Mailbox<Request>
    private let codec = MessageCodec()
    private var frames = FrameReader()

    init(_ requests: Mailbox<Request>) { self.requests = requests }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      var bytes = unwrapInboundIn(data)
      frames.append(&bytes)
      do {
        while let frame = try frames.next() {
          requests.put(try frame.withUnsafeReadableBytes { try codec.decodeRequest($0) })
        }
      } catch {
        Issue.record("the client sent what is no request: \(error)")
      }
    }

    func channelInactive(context: ChannelHandlerContext) { requests.close() }
  }
}

/// A broker and a client that is connected to it.
func connected(
  reconnects: Bool = true, requestTimeout: Duration? = nil, lastPatience: Duration = .seconds(600),
  maxInFlight: Int = Limits.inFlight
) async throws -> (ScriptedBroker, ScriptedBroker.Connection, JobBrokerClient) {
  let broker = try await ScriptedBroker()
  async let client = JobBrokerClient.connect(
    configuration(
      broker.path, reconnects: reconnects, requestTimeout: requestTimeout, lastPatience: lastPatience))
  let connection = try await broker.welcome(maxInFlight: maxInFlight)
  return (broker, connection, try await client)
}

/// A configuration that tries again at once, and waits for the broker's last word however slow this machine is.
func configuration(
  _ path: String, reconnects: Bool = true, requestTimeout: Duration? = nil,
  lastPatience: Duration = .seconds(600)
) -> JobBrokerClient.Configuration {
  var configuration = JobBrokerClient.Configuration(
    socketPath: path, clientName: "tests/1", workerName: "tester", reconnects: reconnects,
    backoff: Backoff(initial: .milliseconds(1), maximum: .milliseconds(2)), requestTimeout: requestTimeout)
  configuration.lastPatience = lastPatience
  return configuration
}

/// A job as a broker would send it.
func someJob(_ type: String = "ingest", attempt: Int = 1, status: JobStatus = .processing) -> Job {
  Job(
    id: .timeOrdered(), type: type, status: status, attempt: attempt, createdAt: Timestamp(milliseconds: 1),
    updatedAt: Timestamp(milliseconds: 1))
}

/// The error a call ends with.
func failure<Value>(of call: () async throws(JobError) -> Value) async -> JobError? {
  do {
    _ = try await call()
    return nil
  } catch {
    return error
  }
}
