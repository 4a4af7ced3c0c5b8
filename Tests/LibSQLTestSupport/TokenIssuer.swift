import Foundation
import TestSupport

/// Signs the tokens that let into a server: EdDSA (RFC 8037), with a key made by openssl(1) for one test.
public struct TokenIssuer: Sendable {
  /// The file with its public key, for sqld's `--auth-jwt-key-file`.
  public let publicKey: String
  private let directory: TemporaryDirectory
  private let key: String

  /// Makes a key.
  public init() throws {
    directory = TemporaryDirectory()
    key = directory.file("private.pem")
    publicKey = directory.file("public.pem")
    try OpenSSL.run(["genpkey", "-algorithm", "ed25519", "-out", key])
    try OpenSSL.run(["pkey", "-in", key, "-pubout", "-out", publicKey])
  }

  /// A token.
  ///
  /// - Parameters:
  ///   - access: `rw`, or `ro` for one that may only read.
  ///   - expiry: When it stops to be valid; nil for never.
  public func token(access: String = "rw", expiry: Date? = nil) throws -> String {
    let end = expiry.map { #","exp":\#(Int($0.timeIntervalSince1970))"# } ?? ""
    let signed =
      Self.base64URL(Data(#"{"alg":"EdDSA","typ":"JWT"}"#.utf8)) + "."
      + Self.base64URL(Data(#"{"a":"\#(access)"\#(end)}"#.utf8))
    let (message, signature) = (directory.file("message"), directory.file("signature"))
    try Data(signed.utf8).write(to: URL(fileURLWithPath: message))
    try OpenSSL.run(["pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", message, "-out", signature])
    return signed + "." + Self.base64URL(try Data(contentsOf: URL(fileURLWithPath: signature)))
  }

  private static func base64URL(_ data: Data) -> String {
    data.base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
  }
}
