import JobModel
import JobStore
import JobStoreContract
import LibSQLJobStore
import Testing

extension ContractCheck: CustomTestStringConvertible {
  /// The behaviour.
  public var testDescription: String { name }
}

@Suite struct ContractTests {
  @Test(arguments: ContractCheck.all)
  func `libSQL keeps the contract`(_ check: ContractCheck) async throws {
    let server = try await SQLServer.start()
    try await check.run { clock in try await LibSQLJobStore.open(server.configuration(), clock: clock) }
    await server.stop()
  }
}
