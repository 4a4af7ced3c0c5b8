import Foundation
import JobBrokerClient
import JobModel
import TestSupport
import Testing
import TrustSupport

/// `JOBBROKER_SOAK_LIFECYCLES` jobs through one broker: its memory, its log and its speed stay as they are.
///
/// Finished jobs are pruned all along, so that what is in the store at a time is the same; what grows is a leak. The
/// file still grows by what is kept of the last million deleted jobs (some 50 MB), and then no more.
@Suite(.serialized, .timeLimit(.minutes(240))) struct SoakTests {
  private static let batch = 100
  private static let parts = 10
  /// SQLite's log is cut back to this.
  private static let logLimit = 80 << 20

  private struct Sample {
    var resident: Int
    var log: Int
    var file: Int
    var rate: Double
  }

  @Test func memoryLogAndSpeedStayAsTheyAre() async throws {
    let full = 10_000_000
    let lifecycles = CampaignSize.number("JOBBROKER_SOAK_LIFECYCLES", short: 20_000)
    try await withBroker { broker in
      let clients = try await [0, 1, 2, 3].asyncMap { try await broker.client(name: "soak \($0)") }
      let part = lifecycles / Self.parts
      var samples: [Sample] = []
      for number in 1...Self.parts {
        let start = ContinuousClock.now
        try await withThrowingTaskGroup(of: Void.self) { group in
          for (index, client) in clients.enumerated() {
            group.addTask { try await Self.live(part / clients.count, "soak \(index)", client) }
          }
          try await group.waitForAll()
        }
        let sample = Sample(
          resident: try await clients[0].stats().residentBytes, log: try size(broker.database + "-wal"),
          file: try size(broker.database), rate: Double(part) / ((ContinuousClock.now - start) / .seconds(1)))
        samples.append(sample)
        print(
          "soak \(number)/\(Self.parts): \(sample.resident >> 20) MiB resident, log \(sample.log >> 20) MiB, "
            + "file \(sample.file >> 20) MiB, \(Int(sample.rate)) lifecycles/s")
        fflush(nil)
      }
      let stats = try await clients[0].stats()
      #expect(stats.types.allSatisfy { $0.counts[.pending] == 0 && $0.counts[.processing] == 0 })
      let log = samples.map(\.log).max() ?? 0
      #expect(log <= Self.logLimit)
      // The first part fills what is filled once: caches, arenas, the log's index.
      let (early, late) = (samples[1], samples[Self.parts - 1])
      let isGrown = late.resident > early.resident + early.resident / 4 + 16 << 20 && !Sanitizers.areOn
      #expect(!isGrown, "\(early.resident >> 20) MiB, then \(late.resident >> 20) MiB")
      // Speed is a matter of the full size, on a machine that does nothing else.
      let isSlower = lifecycles >= full && late.rate < 0.7 * early.rate
      CampaignOutcome(
        promise: "flat memory, bounded log, no slow-down",
        done: "\(lifecycles) lifecycles, finished jobs pruned",
        count:
          "\(early.resident >> 20) MiB, at the end \(late.resident >> 20) MiB; log at most \(log >> 20) MiB; "
          + "\(Int(early.rate)) a second, at the end \(Int(late.rate))",
        violations: (isGrown ? 1 : 0) + (log > Self.logLimit ? 1 : 0) + (isSlower ? 1 : 0)
      ).report()
    }
  }

  private static func live(_ count: Int, _ type: String, _ client: JobBrokerClient) async throws {
    var left = count
    while left > 0 {
      let size = min(batch, left)
      _ = try await client.create((0..<size).map { NewJob(type: type, metadata: #"{"n":\#($0)}"#) })
      let jobs = try await client.claim(ClaimRequest(types: [type], maxJobs: size))
      try #require(jobs.count == size)
      try await withThrowingTaskGroup(of: Void.self) { group in
        for job in jobs {
          group.addTask {
            _ = try await client.complete(job.id, result: #"{"ok":true}"#, attempt: job.attempt)
          }
        }
        try await group.waitForAll()
      }
      left -= size
      if left / batch % 20 == 0 { _ = try await client.prune(olderThan: .zero, type: type) }
    }
  }

  private func size(_ path: String) throws -> Int {
    try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 0
  }
}

extension Sequence {
  fileprivate func asyncMap<T>(_ transform: (Element) async throws -> T) async rethrows -> [T] {
    var results: [T] = []
    for element in self { results.append(try await transform(element)) }
    return results
  }
}
