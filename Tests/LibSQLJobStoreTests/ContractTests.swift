import JobModel
import JobStore
import JobStoreContract
import LibSQLJobStore
import LibSQLTestSupport
import Testing

extension ContractCheck: CustomTestStringConvertible {
  /// The behaviour.
  public var testDescription: String { name }
}

@Suite struct ContractTests {
  @Test(arguments: ContractCheck.all)
  func `libSQL keeps the contract`(_ check: ContractCheck) async throws {
    try await withServer { server in
      try await check.run { clock in
        try await LibSQLJobStore.open(LibSQLConfiguration(url: server.url), clock: clock)
      }
    }
  }
}
