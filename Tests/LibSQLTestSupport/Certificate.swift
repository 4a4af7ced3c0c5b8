import NIOSSL
import TestSupport

/// A certificate for `localhost`, and the authority that signed it, made by openssl(1) for one test.
public struct Certificate: Sendable {
  /// The file with the authority's certificate.
  public let authority: String
  private let directory: TemporaryDirectory
  private let chain: String
  private let key: String

  /// Makes both.
  public init(in directory: TemporaryDirectory) throws {
    self.directory = directory
    authority = directory.file("authority.pem")
    chain = directory.file("server.pem")
    key = directory.file("server.key")
    let authorityKey = directory.file("authority.key")
    let newKey = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    try OpenSSL.run(
      newKey + ["-x509", "-keyout", authorityKey, "-out", authority, "-subj", "/CN=A test's authority"])
    try OpenSSL.run(
      newKey + [
        "-x509", "-CA", authority, "-CAkey", authorityKey, "-keyout", key, "-out", chain, "-subj",
        "/CN=localhost",
        "-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE",
      ])
  }

  /// What a server needs.
  public func context() throws -> NIOSSLContext {
    let configuration = TLSConfiguration.makeServerConfiguration(
      certificateChain: try NIOSSLCertificate.fromPEMFile(chain).map { .certificate($0) },
      privateKey: .privateKey(try NIOSSLPrivateKey(file: key, format: .pem)))
    return try NIOSSLContext(configuration: configuration)
  }
}
