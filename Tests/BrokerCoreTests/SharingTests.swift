import JobModel
import Testing

@testable import BrokerCore

@Suite("Sharing a store")
struct SharingTests {
  private var bench: CoreBench

  private static var configuration: CoreConfiguration {
    var configuration = CoreConfiguration()
    configuration.pollInterval = .seconds(1)
    return configuration
  }

  init() { bench = CoreBench(Self.configuration) }

  private func changes(_ jobs: Job..., hasMore: Bool = false, recovery: Recovery? = nil) -> JobReply {
    var changes = StoreChanges()
    changes.jobs = jobs
    changes.hasMore = hasMore
    changes.isComplete = recovery == nil
    changes.recovery = recovery
    return .changes(changes)
  }

  /// The store has no news, for so long.
  private mutating func quiet(for duration: Duration) {
    let end = bench.now.steady + duration
    while let next = bench.core.nextTick(at: bench.now), next <= end {
      bench.advance(by: max(next - bench.now.steady, .zero))
      while bench.commands.first == .changes { bench.finish(changes()) }
      if !bench.commands.isEmpty { return }
    }
    bench.advance(by: end - bench.now.steady)
  }

  @Test("asks nothing while nobody waits, and asks when somebody does, one question at a time")
  mutating func asks() {
    let worker = bench.connect(1)
    bench.advance(by: .seconds(60))
    #expect(bench.commands == [])
    _ = bench.wait(.waiting("ingest", wait: .seconds(600)), on: worker)
    bench.advance(by: .seconds(60))
    #expect(bench.commands == [.changes])
    bench.finish(changes())
    bench.advance(by: .milliseconds(749))
    #expect(bench.commands == [])
    bench.advance(by: .milliseconds(501))
    #expect(bench.commands == [.changes])
    bench.finish(JobError(.unavailable, "away"))
    bench.advance(by: .milliseconds(1_250))
    #expect(bench.commands == [.changes])
    bench.finish(changes(hasMore: true))
    bench.advance(by: .zero)
    #expect(bench.commands == [.changes])
  }

  @Test("alone, it never asks")
  mutating func alone() {
    bench = CoreBench()
    let worker = bench.connect(1)
    _ = bench.wait(.waiting("ingest", wait: .seconds(600)), on: worker)
    bench.advance(by: .seconds(60))
    #expect(bench.commands == [])
  }

  @Test("sends a waiting claim to the store when another broker made a job for it")
  mutating func wakes() {
    let worker = bench.connect(1)
    _ = bench.wait(.waiting("ingest", wait: .seconds(600)), on: worker)
    bench.advance(by: .zero)
    bench.finish(changes(.number(1)))
    #expect(bench.commands.count == 1)
    guard case .claim(["ingest"], 1, _, _) = bench.commands.first else {
      Issue.record("\(bench.commands)")
      return
    }
  }

  @Test("tells the holder that another broker cancelled its job")
  mutating func revokes() {
    let worker = bench.connect(1)
    bench.hold(1, on: worker)
    bench.advance(by: .zero)
    #expect(bench.commands == [.changes])
    bench.finish(changes(.number(1, attempt: 1, status: .cancelled)))
    #expect(bench.revocations(on: worker).map(\.status) == [.cancelled])
  }

  @Test("tells the holder when its job comes here again before another broker's change is known")
  mutating func comesAgain() {
    let (first, second) = (bench.connect(1), bench.connect(2))
    bench.hold(1, on: first)
    bench.ask(.claim(ClaimRequest()), on: second)
    bench.finish(.claimed([.number(1, attempt: 2)]))
    #expect(bench.revocations(on: first).map(\.claim) == [.number(1)])
    #expect(bench.revocations(on: second).isEmpty)
  }

  @Test("lets whoever waits look for himself when changes are forgotten")
  mutating func catchesUp() {
    let worker = bench.connect(1)
    _ = bench.wait(.waiting("ingest", wait: .seconds(600)), on: worker)
    let watch = bench.ask(.watch(WatchSelection()), on: worker)
    bench.finish(.snapshot([], truncated: false))
    bench.advance(by: .zero)
    bench.finish(changes(recovery: Recovery()))
    #expect(bench.replies(to: watch).last == .event(.resync))
    #expect(bench.commands.count == 1)
  }

  @Test("takes over what is in force when changes are forgotten")
  mutating func takesOver() {
    let worker = bench.connect(1)
    bench.hold(1, on: worker, lease: .seconds(600))
    bench.hold(2, on: worker, lease: .seconds(600))
    bench.advance(by: .zero)
    let held = [Job.number(1, attempt: 1), .number(2, attempt: 2), .number(7, attempt: 2)].map {
      Recovery.HeldClaim(job: $0, lease: .seconds(10))
    }
    bench.finish(changes(recovery: Recovery(held: held, nextDue: bench.now.wall + .seconds(5))))
    #expect(bench.revocations(on: worker).map(\.claim) == [.number(2)])
    quiet(for: .seconds(4))
    #expect(bench.commands == [])
    quiet(for: .seconds(2))
    #expect(bench.commands == [.promote])
    bench.finish(.promoted([:], nextDue: nil))
    quiet(for: .seconds(9))
    #expect(bench.commands == [])
    quiet(for: .seconds(3))
    #expect(bench.commands == [.lose(.number(2, attempt: 2)), .lose(.number(7, attempt: 2))])
  }

  @Test("gives up another broker's claim when nothing is heard of it for its term and the slack")
  mutating func loses() {
    let worker = bench.connect(1)
    _ = bench.wait(.waiting("ingest", wait: .seconds(600)), on: worker)
    bench.advance(by: .zero)
    var job = Job.number(7, attempt: 2)
    job.leaseExpiresAt = job.updatedAt + .seconds(10)
    bench.finish(changes(job))
    quiet(for: .seconds(14))
    #expect(bench.commands == [])
    quiet(for: .seconds(3))
    #expect(bench.commands == [.lose(ClaimToken(id: .number(7), attempt: 2))])
  }

  @Test("watches the claim that another broker gave of a job that was held here")
  mutating func losesAgain() {
    let worker = bench.connect(1)
    bench.hold(1, on: worker, lease: .seconds(600))
    _ = bench.wait(.waiting("ingest", wait: .seconds(600)), on: worker)
    bench.advance(by: .zero)
    var job = Job.number(1, attempt: 2)
    job.leaseExpiresAt = job.updatedAt + .seconds(10)
    bench.finish(changes(job))
    #expect(bench.revocations(on: worker).map(\.claim) == [.number(1)])
    quiet(for: .seconds(17))
    #expect(bench.commands == [.lose(.number(1, attempt: 2))])
  }

  @Test("holds another broker's claim while it is heard of")
  mutating func holds() {
    let worker = bench.connect(1)
    _ = bench.wait(.waiting("ingest", wait: .seconds(600)), on: worker)
    var job = Job.number(7, attempt: 2)
    job.leaseExpiresAt = job.updatedAt + .seconds(10)
    bench.advance(by: .zero)
    for _ in 0..<10 {
      #expect(bench.commands == [.changes])
      bench.finish(changes(job))
      quiet(for: .seconds(13))
      bench.advance(by: .milliseconds(1_250))
    }
    #expect(bench.commands == [.changes])
  }

  @Test("does not take its own absence for another's silence")
  mutating func absence() {
    var job = Job.number(7, attempt: 2)
    job.leaseExpiresAt = job.updatedAt + .seconds(10)
    let held = Recovery(held: [.init(job: job, lease: .seconds(10))])
    bench = CoreBench(Self.configuration, recovery: held)
    bench.advance(by: .seconds(600))
    let worker = bench.connect(1)
    _ = bench.wait(.waiting("ingest", wait: .seconds(600)), on: worker)
    bench.advance(by: .zero)
    bench.finish(changes())
    quiet(for: .seconds(14))
    #expect(bench.commands == [])
    quiet(for: .seconds(3))
    #expect(bench.commands == [.lose(ClaimToken(id: .number(7), attempt: 2))])
  }
}
