import JobBrokerClient
import Testing

@testable import jobctl

@Suite struct BenchTests {
  @Test func aJobsNumberIsInItsID() {
    let jobs = BenchJobs(count: 1000, payload: 256)
    let other = BenchJobs(count: 1000, payload: 256)
    #expect((0..<1000).allSatisfy { jobs.index(of: jobs.newJob($0).id) == $0 })
    #expect(jobs.index(of: other.newJob(0).id) == nil)
    #expect(jobs.type != other.type)
  }

  @Test(arguments: [8, 9, 256, 10_000])
  func metadataHasTheSizeAskedFor(payload: Int) {
    let metadata = BenchJobs(count: 1, payload: payload).metadata
    #expect(metadata.utf8.count == payload)
    #expect(JSONText.isObject(metadata))
  }

  @Test func theCensusFindsWhatIsMissingAndWhatIsDouble() {
    #expect(Census([2, 0, 1], count: 3).isExact)
    let census = Census([0, 0, 2, nil], count: 4)
    #expect(census.missing == 2)
    #expect(census.surplus == 2)
    #expect(!census.isExact)
  }

  @Test func percentiles() {
    var latencies = Latencies()
    latencies.record((1...1000).map { UInt64($0) * 1000 })
    #expect((499_000...501_000).contains(latencies.median))
    #expect((989_000...991_000).contains(latencies.p99))
    #expect((1_000_000...1_001_000).contains(latencies.max))
  }
}
