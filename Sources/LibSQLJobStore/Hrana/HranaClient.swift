import AsyncHTTPClient
import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// Runs batches on a libSQL server: Hrana 3 over HTTP, JSON.
struct HranaClient: Sendable {
  /// A response may be this large: what sqld sends at most, and room for more.
  private static let largestResponse = 64 << 20

  private let client: HTTPClient
  private let request: HTTPClientRequest
  private let timeout: Duration

  init(_ configuration: LibSQLConfiguration) {
    var settings = HTTPClient.Configuration()
    settings.tlsConfiguration = configuration.tls
    settings.timeout.connect = .init(configuration.connectTimeout)
    settings.redirectConfiguration = .disallow
    settings.httpVersion = .http1Only
    // Whether to try again is decided where it is known what may be repeated.
    settings.connectionPool.retryConnectionEstablishment = false
    client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: settings)
    timeout = configuration.requestTimeout
    var request = HTTPClientRequest(url: configuration.endpoint.pipelineURL)
    request.method = .POST
    request.headers.add(name: "content-type", value: "application/json")
    if let token = configuration.token {
      request.headers.add(name: "authorization", value: "Bearer \(token)")
    }
    self.request = request
  }

  func close() async { try? await client.shutdown() }

  /// Runs a batch in one round trip.
  func run(_ batch: HranaBatch) async throws(HranaFailure) -> HranaResult {
    let (status, body) = try await send(batch.pipelineJSON)
    guard status == .ok else {
      // So says the server of a stream that is no more.
      if status == .badRequest, let error = HranaError(json: body) { throw .failed(error) }
      throw .refused(status: Int(status.code), message: Self.message(of: body))
    }
    let response: HranaResponse
    do { response = try HranaResponse(json: body) } catch {
      throw .lost("its answer is not Hrana's: \(error)")
    }
    if let error = response.error { throw .failed(error) }
    guard let result = response.result,
      result.stepResults.count == batch.steps.count, result.stepErrors.count == batch.steps.count
    else { throw .lost("its answer is not that to a batch") }
    return result
  }

  private func send(_ body: [UInt8]) async throws(HranaFailure) -> (HTTPResponseStatus, [UInt8]) {
    var request = request
    request.body = .bytes(ByteBuffer(bytes: body))
    do {
      let response = try await client.execute(request, deadline: .now() + TimeAmount(timeout))
      let body = try await response.body.collect(upTo: Self.largestResponse)
      return (response.status, Array(body.readableBytesView))
    } catch {
      throw HranaFailure(sending: error)
    }
  }

  /// What an error's body says: `{"error": "…"}`, or a text.
  private static func message(of body: [UInt8]) -> String {
    var message: String?
    var json = try? JSONReader(body)
    try? json?.object { (json, name) throws(JSONReader.Malformed) in
      if name == "error" { message = try json.string() } else { try json.skip() }
    }
    return message ?? String(String(decoding: body, as: UTF8.self).prefix(300))
  }
}

extension HranaFailure {
  /// What a failed request means: only before there is a connection is it sure that nothing was run.
  init(sending error: any Error) {
    switch error {
    case let error as HTTPClientError where Self.beforeConnection.contains(error):
      self = .unreachable("no connection in time")
    case let error as IOError where Self.refusedConnection.contains(error.errnoCode):
      self = .unreachable(String(cString: strerror(error.errnoCode)))
    case let error as NIOConnectionError:
      if let reason = error.dnsAError ?? error.dnsAAAAError ?? error.connectionErrors.first?.error {
        self = .unreachable("\(reason)")
      } else {
        self = .unreachable("no connection to \(error.host)")
      }
    case NIOSSLError.handshakeFailed(let reason): self = .unreachable("TLS: \(reason)")
    case let error as NIOSSLExtraError: self = .unreachable("TLS: \(error)")
    default: self = .lost("\(error)")
    }
  }

  private static let refusedConnection = [ECONNREFUSED, EHOSTUNREACH, ENETUNREACH]
  private static let beforeConnection: [HTTPClientError] = [
    .connectTimeout, .getConnectionFromPoolTimeout, .tlsHandshakeTimeout,
  ]
}
