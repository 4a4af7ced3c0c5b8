import Foundation
import JobModel
import JobStore
import LibSQLJobStore
import LibSQLTestSupport
import Testing

/// Who is let in, and what is said to who is not.
@Suite struct AccessTests {
  /// A server's public key, and tokens signed for it; made once for these tests, and good for nothing else.
  private enum Token {
    static let publicKey = "qFqP4Yxgz6Isr57Eki-mtQk3wNG3rDZBKlMF-MkbIa8"
    static let valid =
      "eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCJ9.eyJhIjoicncifQ.2xqNnsyVCTZWUR__uolVCEzN-Aaf94xRphI8iMFm9nsOwA6rlfa76v_-hyV0mMAIecPqt6IRMlZrEXOXaBx9Bw"
    static let readOnly =
      "eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCJ9.eyJhIjoicm8ifQ.xEqpSGEBG4AR-FxXvJ-647I2-32F_UR9Cbe9npoWkiuir5cRHv0YFWSXpPq4TRx-kmO1Ms3p3ZNd5YY7OhdiAg"
    static let expired =
      "eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCJ9.eyJhIjoicnciLCJleHAiOjE2MDAwMDAwMDB9.LyEozVflWM2gLZ6OzTOMSGjTjh79GZxz2oT6QDZetANDloV3_Gk9g_cgYyh4VgKb8BO8aOlArJ28Pb8TfRNbAg"
    static let ofAnotherKey =
      "eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCJ9.eyJhIjoicncifQ.3OtBEixw0CNMK0giqgQRZenDOJVUOHwSCRGllLRUnNeAYMpElOur8blwwxIvz-hpWDQ2wVPYrkiGXbVX8yg_Dw"
  }

  @Test func `a server that asks for a token is opened with the right one alone`() async throws {
    let directory = try DataDirectory()
    let key = directory / "key"
    try Token.publicKey.write(toFile: key, atomically: true, encoding: .utf8)
    try await withServer(["--auth-jwt-key-file", key]) { server in
      let refused = [nil, Token.expired, Token.ofAnotherKey, Token.readOnly, "nonsense"]
      // A database that is new, and one that is not.
      for _ in 0..<2 {
        for token in refused {
          let error = await error(.permissionDenied) {
            await (try await open(server.url, token: token)).close()
          }
          #expect(error?.message.contains("TURSO_AUTH_TOKEN") == true)
          if let token { #expect(error?.message.contains(token) == false) }
        }
        let store = try await open(server.url, token: Token.valid)
        let job = try await store.create(NewJob(type: "ingest"))
        #expect(try await store.get(job.id) != nil)
        await store.close()
      }
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
    let directory = try DataDirectory()
    let certificate = try Certificate(in: directory)
    try await withServer { server in
      let gateway = try await Gateway.start(before: server.url, tls: certificate.context())
      let store = try await open("https://localhost:\(gateway.port)", authorities: certificate.authority)
      #expect(try await store.list() == [])
      await store.close()
      // By a name that the certificate does not have, by authorities that do not know it, and by those of the system.
      let other = try Certificate(in: try DataDirectory())
      for (host, authority) in [
        ("127.0.0.1", certificate.authority), ("localhost", other.authority), ("localhost", nil),
      ] {
        await error(.unavailable) {
          let store = try await open("libsql://\(host):\(gateway.port)", authorities: authority)
          await store.close()
        }
      }
      try await gateway.stop()
    }
  }

  @Test func `authorities that can't be read are refused`() async {
    let error = await error(.invalidArgument) {
      _ = try LibSQLConfiguration(url: "https://h", authorities: "/nonexistent.pem")
    }
    #expect(error?.message.contains("TURSO_CA_FILE") == true)
  }
}
