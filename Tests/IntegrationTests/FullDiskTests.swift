import Foundation
import JobBrokerClient
import JobModel
import Testing
import TestSupport
import TrustSupport

/// A disk of 64 MiB is filled and freed, `JOBBROKER_DISK_CYCLES` times: by jobs and their deletion, and in every other
/// cycle by somebody else's file too.
@Suite(
  .enabled(if: SmallDisk.isAvailable, "a tmpfs in a mount namespace needs root"), .timeLimit(.minutes(30)))
struct FullDiskTests {
  private static let large = #"{"x":"\#(String(repeating: "x", count: 100_000))"}"#
  private static let result = #"{"ok":true}"#

  @Test func finishingGoesOnWhenCreatingNoLongerDoesHoweverOftenTheDiskFills() async throws {
    let cycles = CampaignSize.number("JOBBROKER_DISK_CYCLES", short: 3)
    let directory = TemporaryDirectory()
    let disk = try SmallDisk(in: directory, megabytes: 64)
    let broker = try await BrokerProcess.start(
      in: directory, ["--db", disk.path + "/jobs.db"], through: disk.wrapper)
    let client = try await broker.client(reconnects: false)
    var (created, finished, violations) = (0, 0, 0)
    for cycle in 1...cycles {
      let isFilledByOthers = cycle.isMultiple(of: 2)
      var jobs: [JobID] = []
      func create() async throws {
        jobs.append(try await client.create(NewJob(type: "t", metadata: Self.large)).job.id)
      }
      if isFilledByOthers {
        while jobs.count < 100 { try await create() }
        try disk.fill(for: broker.process)
      }
      let refusal = await expect(.resourceExhausted) {
        while jobs.count < 2_000 { try await create() }
      }
      #expect(refusal?.message.contains("disk is full") == true)
      // A disk that is full after a few jobs was not freed by the cycle before.
      #expect(jobs.count >= 100, "cycle \(cycle) found room for \(jobs.count) jobs")
      if refusal == nil || jobs.count < 100 { violations += 1 }
      created += jobs.count

      for (number, id) in jobs.enumerated() {
        do {
          try await finish(id, in: number % 4, client)
          finished += 1
        } catch {
          Issue.record("cycle \(cycle), job \(number) of \(jobs.count): \(error)")
          violations += 1
          break
        }
      }
      let counts = try await client.stats().types.first?.counts ?? [:]
      let ended = JobStatus.allCases.filter(\.isFinished).map { counts[$0, default: 0] }.reduce(0, +)
      #expect(ended == jobs.count, "\(counts) of \(jobs.count)")
      if ended != jobs.count { violations += 1 }
      for id in jobs { try await client.delete(id) }
      if isFilledByOthers { try disk.empty(for: broker.process) }
    }
    #expect(try await client.create(NewJob(type: "t")).created)
    #expect(await broker.process.stop() == 0)
    CampaignOutcome(
      promise: "on a full disk jobs can still be finished", done: "64 MiB tmpfs filled and freed",
      count: "\(cycles) cycles, \(created) creates, \(finished) finishes", violations: violations
    ).report()
  }

  /// Brings a job, the first of the queue, to its end in one of the ways there are.
  private func finish(_ id: JobID, in way: Int, _ client: JobBrokerClient) async throws {
    switch way {
    case 0: _ = try await client.cancel(id)
    case 1: _ = try await client.fail(id, error: "the disk is full")
    case 2: _ = try await client.complete(id, result: Self.result)
    default:
      let held = try #require(try await client.claim().first)
      #expect(held.id == id)
      _ = try await client.complete(held.id, result: Self.result, attempt: held.attempt)
    }
  }
}
