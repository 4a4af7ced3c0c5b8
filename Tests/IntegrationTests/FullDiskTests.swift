import Foundation
import JobBrokerClient
import JobModel
import Testing
import TrustSupport

/// A disk of 64 MiB is filled and freed, `JOBBROKER_DISK_CYCLES` times.
@Suite(
  .enabled(if: SmallDisk.isAvailable, "a tmpfs in a mount namespace needs root"), .timeLimit(.minutes(30)))
struct FullDiskTests {
  private static let large = #"{"x":"\#(String(repeating: "x", count: 100_000))"}"#

  @Test func finishingGoesOnWhenCreatingNoLongerDoesHoweverOftenTheDiskFills() async throws {
    let cycles = CampaignSize.number("JOBBROKER_DISK_CYCLES", short: 3)
    let directory = TemporaryDirectory()
    let disk = try SmallDisk(in: directory, megabytes: 64)
    let broker = try await BrokerProcess.start(
      in: directory, ["--db", disk.path + "/jobs.db"], through: disk.wrapper)
    let client = try await broker.client(reconnects: false)
    var (created, finished, violations) = (0, 0, 0)
    for cycle in 1...cycles {
      var jobs: [JobID] = []
      let refusal = await expect(.resourceExhausted) {
        while jobs.count < 2_000 {
          jobs.append(try await client.create(NewJob(type: "t", metadata: Self.large)).job.id)
        }
      }
      #expect(refusal?.message.contains("disk is full") == true)
      // A disk that is full after a few jobs was not freed by the cycle before.
      if jobs.count < 100 { violations += 1 }
      #expect(jobs.count >= 100, "cycle \(cycle) found room for \(jobs.count) jobs")
      created += jobs.count

      // Every job can be brought to its end, in any of the ways there are.
      for (number, id) in jobs.enumerated() {
        switch number % 4 {
        case 0: _ = try await client.cancel(id)
        case 1: _ = try await client.fail(id, error: "the disk is full")
        case 2: _ = try await client.complete(id, result: #"{"ok":true}"#)
        default:
          let held = try #require(try await client.claim().first)
          #expect(held.id == id)
          _ = try await client.complete(held.id, result: #"{"ok":true}"#, attempt: held.attempt)
        }
        finished += 1
      }
      let counts = try await client.stats().types.first?.counts ?? [:]
      let inQueue = counts[.pending, default: 0] + counts[.processing, default: 0]
      let ended = JobStatus.allCases.filter(\.isFinished).map { counts[$0, default: 0] }.reduce(0, +)
      #expect(inQueue == 0 && ended == jobs.count, "\(counts) of \(jobs.count)")
      if inQueue != 0 || ended != jobs.count { violations += 1 }
      for id in jobs { try await client.delete(id) }
    }
    #expect(try await client.create(NewJob(type: "t")).created)
    #expect(await broker.process.stop() == 0)
    CampaignOutcome(
      promise: "on a full disk jobs can still be finished", done: "64 MiB tmpfs filled and freed",
      count: "\(cycles) cycles, \(created) creates, \(finished) finishes", violations: violations
    ).report()
  }
}
