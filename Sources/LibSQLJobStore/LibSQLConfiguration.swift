import JobModel
import JobStore
import NIOSSL

/// Where the database is and how it is asked.
public struct LibSQLConfiguration: Sendable {
  /// The server.
  var endpoint: DatabaseURL
  /// What lets us in; nil for a server that lets everybody in. Never shown.
  var token: String?
  /// How the server proves who it is.
  var tls: TLSConfiguration
  /// How long a connection may take to come about.
  public var connectTimeout: Duration = .seconds(5)
  /// How long one request may take, from its first byte to the last of its answer.
  public var requestTimeout: Duration = .seconds(5)
  /// How long a transaction is tried before its commands are refused.
  public var patience: Duration = .seconds(10)
  /// How often to look for what other brokers changed, while anybody waits for it.
  public var pollInterval: Duration = .seconds(1)
  /// How long a job waits before an automatic retry.
  public var retryPolicy = RetryPolicy()

  /// - Parameters:
  ///   - url: `libsql://`, `https://` or `http://`, a host and perhaps a port.
  ///   - token: The bearer token, if the server asks for one.
  ///   - authorities: A file of PEM certificates to trust instead of the system's.
  /// - Throws: INVALID_ARGUMENT, with a message that names the environment variable to change.
  public init(url: String, token: String? = nil, authorities: String? = nil) throws(JobError) {
    endpoint = try DatabaseURL(url)
    if let token, !token.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) {
      throw JobError(.invalidArgument, "TURSO_AUTH_TOKEN holds characters that no token has")
    }
    self.token = token
    tls = .makeClientConfiguration()
    if let authorities {
      do {
        tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(authorities))
      } catch {
        throw JobError(
          .invalidArgument, "TURSO_CA_FILE: \(authorities) can't be read as PEM certificates: \(error)")
      }
    }
  }
}

/// The address of a libSQL database, as Turso writes it.
struct DatabaseURL: Sendable, Equatable {
  let scheme: String
  /// The host, with a port if one was given.
  let authority: String

  init(_ text: String) throws(JobError) {
    let schemes = ["libsql://": "https", "https://": "https", "http://": "http"]
    guard let (prefix, scheme) = schemes.first(where: { text.lowercased().hasPrefix($0.key) }) else {
      throw JobError(
        .invalidArgument, "TURSO_DATABASE_URL must begin with libsql://, https:// or http://")
    }
    var rest = text.dropFirst(prefix.count)
    if let end = rest.firstIndex(where: { "/?#".contains($0) }) { rest = rest[..<end] }
    guard !rest.isEmpty, !rest.contains("@"), rest.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
      throw JobError(
        .invalidArgument,
        "TURSO_DATABASE_URL must name a host, and nothing secret: the token belongs in TURSO_AUTH_TOKEN")
    }
    self.scheme = scheme
    authority = String(rest)
  }

  var pipelineURL: String { "\(scheme)://\(authority)/v3/pipeline" }
}
