import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

/// What stands between a store and its server, and can do what networks and servers do: take requests and never
/// answer, hang up before or after they were run, answer with errors.
public final class Gateway: Sendable {
  /// What becomes of a request.
  public enum Action: Sendable {
    /// The server answers it.
    case pass
    /// The connection ends before the server has the request.
    case cutBefore
    /// The server runs it; the connection ends before its answer is passed on.
    case cutAfter
    /// The server runs it; nothing is ever answered.
    case swallow
    /// The server answers it after this long.
    case delay(Duration)
    /// The server never sees it.
    case answer(Int, String)
  }

  /// Decides about a request, by its number, counted from 1, and its body.
  public typealias Plan = @Sendable (_ number: Int, _ body: ByteBuffer) -> Action

  /// Where it listens.
  public let port: Int
  private let channel: any Channel
  private let client: HTTPClient
  private let counter: Counter

  /// How many requests came.
  public var requests: Int { counter.value.withLock { $0 } }

  final class Counter: Sendable {
    let value = Mutex(0)
  }

  fileprivate static func start(
    before target: String, tls: NIOSSLContext?, plan: @escaping Plan
  ) async throws -> Gateway {
    let client = HTTPClient(eventLoopGroupProvider: .singleton)
    let counter = Counter()
    let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          if let tls { try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls)) }
          try channel.pipeline.syncOperations.configureHTTPServerPipeline()
          try channel.pipeline.syncOperations.addHandler(
            Relay(target: target, client: client, counter: counter, plan: plan))
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    return Gateway(
      port: channel.localAddress?.port ?? 0, channel: channel, client: client, counter: counter)
  }

  private init(port: Int, channel: any Channel, client: HTTPClient, counter: Counter) {
    self.port = port
    self.channel = channel
    self.client = client
    self.counter = counter
  }

  /// Its address, without TLS.
  public var url: String { "http://127.0.0.1:\(port)" }

  /// Ends it as far as it can be: what a test has to say must not be lost to this.
  fileprivate func stop() async {
    try? await channel.close()
    try? await client.shutdown()
  }
}

/// Runs a test with a gateway before the server at `target`; clients reach it by TLS if it has a context for that.
public func withGateway(
  before target: String, tls: NIOSSLContext? = nil, plan: @escaping Gateway.Plan = { _, _ in .pass },
  _ body: (Gateway) async throws -> Void
) async throws {
  let gateway = try await Gateway.start(before: target, tls: tls, plan: plan)
  let outcome: Result<Void, any Error>
  do { outcome = .success(try await body(gateway)) } catch { outcome = .failure(error) }
  await gateway.stop()
  try outcome.get()
}

/// One connection to the gateway.
private final class Relay: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  private let target: String
  private let client: HTTPClient
  private let counter: Gateway.Counter
  private let plan: Gateway.Plan
  private var head: HTTPRequestHead?
  private var body = ByteBuffer()

  init(target: String, client: HTTPClient, counter: Gateway.Counter, plan: @escaping Gateway.Plan) {
    self.target = target
    self.client = client
    self.counter = counter
    self.plan = plan
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head):
      self.head = head
      body.clear()
    case .body(var part): body.writeBuffer(&part)
    case .end:
      guard let head else { return }
      let number = counter.value.withLock { count in
        count += 1
        return count
      }
      run(plan(number, body), head, context)
    }
  }

  private func run(_ action: Gateway.Action, _ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
    var request = HTTPClientRequest(url: target + head.uri)
    request.method = head.method
    request.headers = head.headers
    request.headers.remove(name: "host")
    request.headers.remove(name: "content-length")
    request.body = .bytes(body)
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    let forward: @Sendable () async throws -> (HTTPResponseStatus, ByteBuffer) = { [client, request] in
      let response = try await client.execute(request, timeout: .minutes(1))
      return (response.status, try await response.body.collect(upTo: 64 << 20))
    }
    switch action {
    case .cutBefore: context.close(promise: nil)
    case .answer(let status, let text):
      respond(HTTPResponseStatus(statusCode: status), ByteBuffer(string: text), context)
    case .pass, .cutAfter, .swallow, .delay:
      Task {
        if case .delay(let duration) = action { try await Task.sleep(for: duration) }
        let answer = try? await forward()
        bound.execute { relay, context in
          switch action {
          case .swallow: break
          case .pass, .delay:
            if let answer {
              relay.respond(answer.0, answer.1, context)
            } else {
              context.close(promise: nil)
            }
          default: context.close(promise: nil)
          }
        }
      }
    }
  }

  private func respond(_ status: HTTPResponseStatus, _ body: ByteBuffer, _ context: ChannelHandlerContext) {
    let headers = HTTPHeaders([("content-length", String(body.readableBytes))])
    let head = HTTPResponseHead(version: .http1_1, status: status, headers: headers)
    context.write(wrapOutboundOut(.head(head)), promise: nil)
    context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
  }
}

extension NIOLoopBound where Value == (Relay, ChannelHandlerContext) {
  fileprivate func execute(_ body: @escaping @Sendable (Relay, ChannelHandlerContext) -> Void) {
    eventLoop.execute { body(value.0, value.1) }
  }
}
