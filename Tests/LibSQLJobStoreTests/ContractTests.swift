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
        var configuration = try LibSQLConfiguration(url: server.url)
        configuration.beReadyToWait()
        return try await LibSQLJobStore.open(configuration, clock: clock)
      }
    }
  }
}
