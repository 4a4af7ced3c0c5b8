import JobModel
import JobStore
import LibSQLJobStore
import LibSQLTestSupport
import NIOCore
import Synchronization
import Testing
import TrustSupport

/// Connections that break: a transaction takes effect once, and is answered, however often it is sent.
@Suite struct LostAnswerTests {
  /// Cuts every second transaction, now before and now after the server has run it.
  private static func cutting(_ cuts: Counter) -> Gateway.Plan {
    { number, body in
      guard body.isTransaction else { return .pass }
      let cut = cuts.next()
      return switch cut % 4 {
      case 0: .cutBefore
      case 2: .cutAfter
      default: .pass
      }
    }
  }

  @Test func `a thousand cut connections lose no job, run none twice and give none to two`() async throws {
    let cuts = Counter()
    let wanted = CampaignSize.number("JOBBROKER_LOST_ANSWERS", short: 1000)
    try await withServer { server in
      try await withGateway(before: server.url, plan: Self.cutting(cuts)) { gateway in
        let store = try await open(gateway.url)
        var created: Set<JobID> = []
        var claimed: Set<JobID> = []
        var violations = 0
        // Every second transaction is cut.
        while cuts.count < 2 * wanted + 10 {
          let new = [NewJob(type: "ingest"), NewJob(type: "save")]
          let results = try await store.execute([
            .create([new[0]]), .create([new[1]]),
            .claim(types: [], maxJobs: 1, lease: .seconds(30), worker: worker),
          ])
          guard case .success(.created(let first)) = results[0],
            case .success(.created(let second)) = results[1], case .success(.claimed(let jobs)) = results[2]
          else {
            Issue.record("\(results)")
            return
          }
          for entry in first + second where !entry.created { violations += 1 }
          created.formUnion(new.map(\.id))
          let job = try #require(jobs.first)
          // Claimed by nobody before, nor by this one.
          if job.attempt != 1 || !claimed.insert(job.id).inserted { violations += 1 }
          let reply = try await store.commit(.complete(job.id, attempt: 1, result: #"{"a":1}"#))
          guard case .job(let completed, changed: true) = reply, completed.status == .complete else {
            Issue.record("\(reply)")
            return
          }
        }
        let counts = try await store.stats().reduce(into: [JobStatus: Int]()) { sum, stats in
          for (status, count) in stats.counts { sum[status, default: 0] += count }
        }
        violations += abs(counts[.complete, default: 0] - claimed.count)
        violations += abs(counts[.pending, default: 0] - (created.count - claimed.count))
        violations += counts[.processing, default: 0]
        CampaignOutcome(
          promise: "a transaction takes effect once, however often its answer is lost",
          done: "connections to a libSQL server cut before and after it ran them",
          count: "\(cuts.count / 2) cuts", violations: violations
        ).report()
        #expect(violations == 0)
      }
    }
  }

  @Test func `a command that had no effect before its answer was lost may be asked again`() async throws {
    let cutNext = Mutex(false)
    try await withServer { server in
      try await withGateway(
        before: server.url,
        plan: { _, body in
          cutNext.withLock { cut in
            defer { cut = false }
            return cut ? .cutAfter : .pass
          }
        },
        { gateway in
          let store = try await open(gateway.url)
          let job = try await store.create(NewJob(type: "ingest"))
          _ = try await store.claim()
          func lost(_ command: JobCommand) async throws -> JobReply {
            cutNext.withLock { $0 = true }
            return try await store.commit(command)
          }
          await error(.unavailable) { _ = try await lost(.complete(job.id, attempt: 1, result: "[]")) }
          await error(.unavailable) { _ = try await lost(.create([NewJob(type: "ingest", metadata: "no")])) }
          await error(.unavailable) { _ = try await lost(.delete(.timeOrdered())) }
          #expect(
            try await lost(.claim(types: [], maxJobs: 9, lease: .seconds(9), worker: worker)) == .claimed([]))
          guard case .deleted(let deleted) = try await lost(.delete(job.id)) else { return }
          #expect(deleted.id == job.id)
        })
    }
  }

  @Test func `a server that does not answer leaves the outcome open, and what it did is told later`()
    async throws
  {
    let isDeaf = Mutex(false)
    try await withServer { server in
      try await withGateway(
        before: server.url, plan: { _, _ in isDeaf.withLock { $0 } ? .swallow : .pass },
        { gateway in
          let store = try await open(gateway.url) {
            $0.requestTimeout = .seconds(15)
            $0.patience = .zero
          }
          _ = try await store.create(NewJob(type: "ingest"))
          isDeaf.withLock { $0 = true }
          let new = NewJob(type: "save")
          await error(.unknownOutcome) { try await store.create(new) }
          await error(.unavailable) { _ = try await store.claim(types: ["ingest"]) }
          isDeaf.withLock { $0 = false }
          // One that is answered settles those that were not.
          try await store.create(NewJob(type: "preview"))
          let changes = try await store.changes()
          #expect(changes.jobs.map(\.type).sorted() == ["ingest", "save"])
          #expect(changes.jobs.first { $0.type == "ingest" }?.status == .processing)
          #expect(try await store.changes().jobs == [])
          #expect(try await store.get(new.id) != nil)
        })
    }
  }

  @Test func `a server that is gone makes commands unavailable, and one that is back does not`() async throws
  {
    try await withServer { server in
      let store = try await open(server.url)
      let job = try await store.create(NewJob(type: "ingest"))
      await server.stop()
      // The read first: it takes what is left of the old connection, on which a create might have been carried out.
      await error(.unavailable) { _ = try await store.position(job.id) }
      await error(.unavailable) { try await store.create(NewJob(type: "ingest")) }
      let again = try await server.restarted()
      #expect(try await store.claim().map(\.id) == [job.id])
      await again.stop()
    }
  }
}

/// Counts calls.
final class Counter: Sendable {
  private let value = Mutex(0)

  var count: Int { value.withLock { $0 } }

  func next() -> Int {
    value.withLock { value in
      value += 1
      return value
    }
  }
}

extension ByteBuffer {
  /// Whether it is a transaction of commands.
  var isTransaction: Bool { String(buffer: self).contains("BEGIN IMMEDIATE") }
}
