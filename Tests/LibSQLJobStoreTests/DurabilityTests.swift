import LibSQLTestSupport
import Testing

/// What docs/libsql.md says of the durability of sqld.
@Suite struct DurabilityTests {
  @Test func `the durability mode strong makes the server synchronous in full`() async throws {
    let admin = try SQLServer.freePort()
    try await withServer(["--admin-listen-addr", "127.0.0.1:\(admin)"]) { server in
      let (normal, full) = (#""value":"1""#, #""value":"2""#)
      #expect(try await server.run(["PRAGMA synchronous"]).contains(normal))
      try await SQLServer.post(
        #"{"block_reads":false,"block_writes":false,"durability_mode":"strong"}"#,
        to: "http://127.0.0.1:\(admin)/v1/namespaces/default/config")
      #expect(try await server.run(["PRAGMA synchronous"]).contains(full))
    }
  }
}
