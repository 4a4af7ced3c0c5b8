import Foundation
import JobModel
import JobStore
import LibSQLJobStore
import LibSQLTestSupport
import Testing
import TestSupport

/// Who is let in, and what is said to who is not.
@Suite struct AccessTests {
  /// What may be wrong with a token.
  enum BadToken: CaseIterable {
    case missing, nonsense, expired, readOnly, ofAnotherKey

    func made(by issuer: TokenIssuer) throws -> String? {
      switch self {
      case .missing: nil
      case .nonsense: "nonsense"
      case .expired: try issuer.token(expiry: .now - 3600)
      case .readOnly: try issuer.token(access: "ro")
      case .ofAnotherKey: try TokenIssuer().token()
      }
    }
  }

  @Test(arguments: BadToken.allCases)
  func `a token that does not let in is refused without being shown`(_ bad: BadToken) async throws {
    let issuer = try TokenIssuer()
    try await withServer(["--auth-jwt-key-file", issuer.publicKey]) { server in
      let token = try bad.made(by: issuer)
      func refused() async {
        let error = await error(.permissionDenied) {
          _ = try await open(server.url, token: token)
        }
        #expect(error?.message.contains("TURSO_AUTH_TOKEN") == true)
        if let token { #expect(error?.message.contains(token) == false) }
      }
      // A database that is new, and one that is not.
      await refused()
      let store = try await open(server.url, token: issuer.token(expiry: .now + 3600))
      let job = try await store.create(NewJob(type: "ingest"))
      await refused()
      #expect(try await store.get(job.id) != nil)
    }
  }

  @Test(arguments: [
    "", "jobs.turso.io", "ftp://host", "libsql://", "https://user:hunter2@host", "http:///path",
    "libsql://ho st",
  ])
  func `an address that makes no sense is refused without being shown`(_ url: String) async {
    let error = await error(.invalidArgument) { _ = try LibSQLConfiguration(url: url) }
    #expect(error?.message.contains("TURSO_DATABASE_URL") == true)
    #expect(error?.message.contains("hunter2") == false)
  }

  @Test func `a token with a line break is refused without being shown`() async {
    let error = await error(.invalidArgument) { _ = try LibSQLConfiguration(url: "http://h", token: "abc\n") }
    #expect(error?.message.contains("TURSO_AUTH_TOKEN") == true)
    #expect(error?.message.contains("abc") == false)
  }

  @Test func `TLS is trusted as far as the authority is`() async throws {
    let directory = TemporaryDirectory()
    let certificate = try Certificate(in: directory)
    try await withServer { server in
      try await withGateway(before: server.url, tls: try certificate.context()) { gateway in
        let store = try await open("https://localhost:\(gateway.port)", authorities: certificate.authority)
        #expect(try await store.list() == [])
        // By a name that the certificate does not have, by authorities that do not know it, and by those of the system.
        let other = try Certificate(in: TemporaryDirectory())
        for (host, authority) in [
          ("127.0.0.1", certificate.authority), ("localhost", other.authority), ("localhost", nil),
        ] {
          await error(.unavailable) {
            _ = try await open("libsql://\(host):\(gateway.port)", authorities: authority)
          }
        }
      }
    }
  }

  @Test func `authorities that can't be read are refused`() async {
    let error = await error(.invalidArgument) {
      _ = try LibSQLConfiguration(url: "https://h", authorities: "/nonexistent.pem")
    }
    #expect(error?.message.contains("TURSO_CA_FILE") == true)
  }
}
