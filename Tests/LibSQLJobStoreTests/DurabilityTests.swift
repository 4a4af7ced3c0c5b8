import Foundation
#if canImport(FoundationNetworking)
  import FoundationNetworking
#endif
import LibSQLTestSupport
import Testing

/// What docs/libsql.md says of the durability of sqld.
@Suite struct DurabilityTests {
  @Test func `the durability mode strong makes the server synchronous in full`() async throws {
    let admin = try SQLServer.freePort()
    try await withServer(["--admin-listen-addr", "127.0.0.1:\(admin)"]) { server in
      let (normal, full) = (#""value":"1""#, #""value":"2""#)
      #expect(try await server.run(["PRAGMA synchronous"]).contains(normal))
      let url = try #require(URL(string: "http://127.0.0.1:\(admin)/v1/namespaces/default/config"))
      var request = URLRequest(url: url)
      request.httpMethod = "POST"
      request.setValue("application/json", forHTTPHeaderField: "content-type")
      request.httpBody = Data(
        #"{"block_reads":false,"block_writes":false,"durability_mode":"strong"}"#.utf8)
      let (_, response) = try await URLSession.shared.data(for: request)
      #expect((response as? HTTPURLResponse)?.statusCode == 200)
      #expect(try await server.run(["PRAGMA synchronous"]).contains(full))
    }
  }
}
