import JobModel
import JobStore
import JobStoreContract
import SQLiteJobStore
import Testing
import TestSupport

extension ContractCheck: CustomTestStringConvertible {
  /// The behaviour.
  public var testDescription: String { name }
}

@Suite struct ContractTests {
  @Test(arguments: ContractCheck.all)
  func `SQLite keeps the contract`(_ check: ContractCheck) async throws {
    let directory = TemporaryDirectory()
    try await check.run { clock in
      try await SQLiteJobStore.open(path: directory.file("jobs.db"), clock: clock)
    }
  }

  @Test func `the checks have different names`() {
    #expect(Set(ContractCheck.all.map(\.name)).count == ContractCheck.all.count)
    #expect(ContractCheck.all.count { $0.name.hasPrefix("original: ") } == 16)
  }
}
