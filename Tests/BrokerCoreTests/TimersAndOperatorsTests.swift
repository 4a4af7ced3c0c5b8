import BrokerCore
import JobModel
import Testing

@Suite("Jobs that wait for a moment")
struct MomentTests {
  private var bench = CoreBench()
  private var client = ConnectionID(1)

  init() { client = bench.connect(1) }

  private mutating func create(dueIn delay: Duration) {
    let due = bench.now.wall + delay
    bench.ask(.create([NewJob(type: "ingest", notBefore: due)]), on: client)
    bench.finish(.created([CreatedJob(job: .number(1, notBefore: due), created: true)]))
  }

  @Test("are promoted when it has come, and wake the claims that wait")
  mutating func promotion() {
    bench.wait(.waiting("ingest"), on: bench.connect(2))
    create(dueIn: .seconds(10))
    bench.advance(by: .milliseconds(9_999))
    #expect(bench.commands.isEmpty)
    bench.advance(by: .milliseconds(1))
    #expect(bench.commands == [.promote])
    bench.finish(.promoted(["ingest": 1], nextDue: nil))
    #expect(bench.commands.count == 1)
    guard case .claim? = bench.commands.first else {
      Issue.record("\(bench.commands)")
      return
    }
    bench.finishEmpty()
    bench.advance(by: .seconds(30))
    #expect(bench.commands.isEmpty)
  }

  @Test("come in their order, the one due next deciding")
  mutating func next() {
    create(dueIn: .seconds(10))
    create(dueIn: .seconds(5))
    bench.advance(by: .seconds(5))
    #expect(bench.commands == [.promote])
    bench.finish(.promoted(["ingest": 1], nextDue: bench.now.wall + .seconds(5)))
    bench.advance(by: .milliseconds(4_999))
    #expect(bench.commands.isEmpty)
    bench.advance(by: .milliseconds(1))
    #expect(bench.commands == [.promote])
  }

  @Test("left by the last broker are looked after")
  mutating func recovered() {
    bench = CoreBench(recovery: Recovery(nextDue: bench.now.wall - .seconds(1)))
    bench.advance(by: .zero)
    #expect(bench.commands == [.promote])
  }

  @Test("are found within a second when the wall clock is set past it")
  mutating func wallClockForward() {
    create(dueIn: .seconds(3_600))
    bench.advance(by: .milliseconds(500))
    bench.now.wall = bench.now.wall + .seconds(3_600)
    bench.advance(by: .seconds(1))
    #expect(bench.commands == [.promote])
  }

  @Test("go on waiting when the wall clock is set back")
  mutating func wallClockBack() {
    create(dueIn: .seconds(10))
    bench.now.wall = bench.now.wall - .seconds(86_400)
    bench.advance(by: .seconds(3_600))
    #expect(bench.commands.isEmpty)
  }

  @Test("are asked for again after a second, not at once, when the store could not")
  mutating func failedPromotion() {
    create(dueIn: .seconds(1))
    bench.advance(by: .seconds(1))
    bench.finish(JobError(.unavailable, "busy"))
    bench.advance(by: .milliseconds(999))
    #expect(bench.commands.isEmpty)
    bench.advance(by: .milliseconds(1))
    #expect(bench.commands == [.promote])
  }

  @Test("are not forgotten when the store could not and the wall clock is set back")
  mutating func failedPromotionAndWallClockBack() {
    create(dueIn: .zero)
    bench.now.wall = bench.now.wall + .seconds(86_400)
    bench.advance(by: .zero)
    bench.finish(JobError(.unavailable, "busy"))
    bench.now.wall = bench.now.wall - .seconds(43_200)
    bench.advance(by: .seconds(1))
    #expect(bench.commands == [.promote])
  }

  @Test("that is infinitely far keep nobody busy")
  mutating func farAway() throws {
    bench.ask(.create([NewJob(type: "ingest", notBefore: Timestamp(milliseconds: .max))]), on: client)
    bench.finish(
      .created([CreatedJob(job: .number(1, notBefore: Timestamp(milliseconds: .max)), created: true)]))
    bench.now.wall = Timestamp(milliseconds: -1)
    let tick = bench.core.nextTick(at: bench.now)
    let next = try #require(tick)
    #expect(next == bench.now.steady + .seconds(1))
  }
}

@Suite("What operators do")
struct OperatorTests {
  private var bench = CoreBench()
  private var client = ConnectionID(1)

  init() { client = bench.connect(1) }

  private var claims: Int { bench.commands.count { if case .claim = $0 { true } else { false } } }

  @Test("pausing a type keeps its claims waiting; resuming it wakes them all")
  mutating func pauseAndResume() {
    for number in 2...3 { bench.wait(.waiting("ingest"), on: bench.connect(UInt64(number))) }
    let pause = bench.ask(.pause(type: "ingest"), on: client)
    bench.finishEmpty()
    #expect(bench.replies(to: pause) == [.done])
    bench.ask(.create([NewJob(type: "ingest")]), on: client)
    bench.finish(.created([CreatedJob(job: .number(1), created: true)]))
    #expect(claims == 0)
    let resume = bench.ask(.resume(type: "ingest"), on: client)
    bench.finishEmpty()
    #expect(bench.replies(to: resume) == [.done])
    #expect(claims == 2)
  }

  @Test("a type that the last broker paused is still paused")
  mutating func recoveredPause() {
    bench = CoreBench(recovery: Recovery(pausedTypes: ["ingest"]))
    client = bench.connect(1)
    bench.wait(.waiting("ingest"), on: client)
    bench.ask(.create([NewJob(type: "ingest")]), on: client)
    #expect(claims == 0)
    let key = bench.ask(.stats, on: client)
    bench.answer(key, .success(.stats(BrokerStats())))
    guard case .stats(let stats)? = bench.replies(to: key).first else {
      Issue.record("no counters")
      return
    }
    #expect(stats.types == [TypeStats(type: "ingest", isPaused: true)])
    #expect(stats.waitingClaims == 1)
    #expect(stats.connections == 1)
  }

  @Test("pruning goes on in batches until one is not full")
  mutating func prune() {
    var configuration = CoreConfiguration()
    configuration.sweepBatch = 2
    bench = CoreBench(configuration)
    client = bench.connect(1)
    let key = bench.ask(.prune(olderThan: .seconds(60), status: .failed, type: "ingest"), on: client)
    let cutoff = bench.now.wall - .seconds(60) + .milliseconds(1)
    let command = JobCommand.prune(
      before: cutoff, status: .failed, type: "ingest", limit: 2)
    #expect(bench.commands == [command])
    bench.finish(.pruned([.number(1), .number(2)]))
    #expect(bench.replies(to: key) == [])
    #expect(bench.commands == [command])
    bench.finish(.pruned([.number(3)]))
    #expect(bench.replies(to: key) == [.count(3)])
    #expect(bench.commands.isEmpty)
  }

  @Test(
    "reaping spares whom the broker heard from in time, whatever the wall clock says",
    arguments: [-86_400, -3_600, 0, 3_600, 86_400] as [Int64])
  mutating func reap(jump: Int64) {
    bench.hold(1, on: client, lease: .seconds(600))
    bench.hold(2, on: client, lease: .seconds(600))
    bench.advance(by: .seconds(60))
    bench.ask(.update(.number(2), attempt: 1, JobUpdate()), on: client)
    bench.now.wall = bench.now.wall + .seconds(jump)
    bench.ask(.reap(timeout: .seconds(60), type: "ingest"), on: client)
    // A job that was last heard from exactly a minute ago has reached that age.
    let cutoff = bench.now.wall - .seconds(60) + .milliseconds(1)
    #expect(
      bench.commands.last
        == .reap(before: cutoff, type: "ingest", sparing: [.number(2)], limit: 500))
  }

  @Test("reaping spares what a claim at the store has just taken, whatever the wall clock says")
  mutating func reapBehindClaim() {
    bench.ask(.claim(ClaimRequest()), on: client)
    bench.now.wall = bench.now.wall + .seconds(86_400)
    let reap = bench.ask(.reap(timeout: .seconds(60), type: nil), on: client)
    bench.ask(.cancel(.number(7)), on: client)
    bench.ask(.claim(ClaimRequest()), on: client)
    let second = bench.ask(.reap(timeout: .seconds(60), type: nil), on: client)
    #expect(bench.commands.count == 1, "it does not wait for the claim")
    bench.finish(.claimed([.number(1, attempt: 1)]))

    let cutoff = bench.now.wall - .seconds(60) + .milliseconds(1)
    #expect(
      bench.commands.prefix(2)
        == [.reap(before: cutoff, type: nil, sparing: [.number(1)], limit: 500), .cancel(.number(7))])
    #expect(bench.commands.count == 3, "the order is another, or the second does not wait for its claim")
    bench.finish(.reaped([]))
    bench.finish(JobError(.notFound, ""))
    bench.finishEmpty()
    #expect(bench.commands == [.reap(before: cutoff, type: nil, sparing: [.number(1)], limit: 500)])
    bench.finish(.reaped([]))
    #expect(bench.replies(to: reap) == [.count(0)])
    #expect(bench.replies(to: second) == [.count(0)])
  }

  @Test("reaping goes by the moment it was asked for, however long it waits for a claim")
  mutating func reapWaits() {
    bench.hold(1, on: client, lease: .seconds(600))
    bench.advance(by: .seconds(40))
    bench.ask(.claim(ClaimRequest()), on: client)
    let cutoff = bench.now.wall - .seconds(60) + .milliseconds(1)
    bench.ask(.reap(timeout: .seconds(60), type: nil), on: client)
    bench.advance(by: .seconds(40))
    bench.finishEmpty()
    #expect(bench.commands.last == .reap(before: cutoff, type: nil, sparing: [.number(1)], limit: 500))
  }

  @Test("reaping spares whose update is still at the store")
  mutating func reapBehindUpdate() {
    bench.hold(1, on: client, lease: .seconds(600))
    bench.advance(by: .seconds(60))
    bench.ask(.update(.number(1), attempt: 1, JobUpdate(result: "{}")), on: client)
    bench.ask(.reap(timeout: .seconds(60), type: nil), on: client)
    guard case .reap(_, _, sparing: [.number(1)], _)? = bench.commands.last else {
      Issue.record("\(bench.commands)")
      return
    }
  }

  @Test("reaping answers how many it were, and tells the holders")
  mutating func reaped() {
    bench.hold(1, on: client)
    let key = bench.ask(.reap(timeout: .seconds(60), type: nil), on: bench.connect(2))
    bench.finish(.reaped([.number(1, attempt: 1, status: .failed), .number(2, attempt: 1, status: .failed)]))
    #expect(bench.replies(to: key) == [.count(2)])
    #expect(bench.revocations(on: client).map(\.claim) == [.number(1)])
  }

  @Test("reaping goes on in parts until one is not full, and spares who is heard from meanwhile")
  mutating func reapInParts() {
    var configuration = CoreConfiguration()
    configuration.sweepBatch = 2
    bench = CoreBench(configuration)
    client = bench.connect(1)
    bench.hold(9, on: client, lease: .seconds(600))
    bench.advance(by: .seconds(60))
    let key = bench.ask(.reap(timeout: .seconds(60), type: nil), on: client)
    let cutoff = bench.now.wall - .seconds(60) + .milliseconds(1)
    #expect(bench.commands == [.reap(before: cutoff, type: nil, sparing: [], limit: 2)])
    bench.ask(.claim(ClaimRequest()), on: client)
    bench.ask(.update(.number(9), attempt: 1, JobUpdate()), on: client)
    bench.finish(.reaped([.number(1, attempt: 1, status: .failed), .number(2, attempt: 1, status: .failed)]))
    #expect(bench.replies(to: key) == [])
    bench.advance(by: .seconds(40))
    let isEarly = bench.commands.contains { if case .reap = $0 { true } else { false } }
    #expect(!isEarly, "the second part does not wait for the claim")
    while bench.commands.count > 1 { bench.finishEmpty() }
    guard case .reap(cutoff, type: nil, sparing: [.number(9)], limit: 2)? = bench.commands.last else {
      Issue.record("\(bench.commands)")
      return
    }
    bench.finish(.reaped([.number(3, attempt: 1, status: .failed)]))
    #expect(bench.replies(to: key) == [.count(3)])
  }

  @Test("reaping goes on after a part that ended early for its results")
  mutating func reapOfResults() {
    let key = bench.ask(.reap(timeout: .seconds(60), type: nil), on: client)
    let jobs = (1...6 as ClosedRange<UInt64>).map { number in
      var job = Job.number(number, attempt: 1, status: .failed)
      job.result = String(repeating: "x", count: Limits.payload)
      return job
    }
    bench.finish(.reaped(jobs))
    guard case .reap? = bench.commands.last else {
      Issue.record("\(bench.commands), \(bench.replies(to: key))")
      return
    }
    bench.finish(.reaped([]))
    #expect(bench.replies(to: key) == [.count(6)])
  }
}

@Suite("Draining")
struct DrainTests {
  private var bench = CoreBench()
  private var client = ConnectionID(1)

  init() { client = bench.connect(1) }

  @Test("answers waiting claims, and turns away what comes in")
  mutating func refusal() {
    let waiting = bench.wait(.waiting("ingest"), on: client)
    bench.drain()
    #expect(bench.error(to: waiting) == .unavailable)
    for operation: JobModel.Operation in [.ping, .create([NewJob(type: "ingest")]), .claim(ClaimRequest())] {
      let key = bench.ask(operation, on: client)
      #expect(bench.error(to: key) == .unavailable)
    }
    bench.core.open(ConnectionID(9), Peer(pid: 1, uid: 1, isOperator: true), at: bench.now)
    let hello = bench.ask(.hello(Hello()), on: ConnectionID(9))
    #expect(bench.error(to: hello) == .unavailable)
    #expect(bench.commands.isEmpty)
  }

  @Test("gives back what a claim at the store brings, and answers it")
  mutating func claimAtTheStore() {
    let key = bench.ask(.claim(.waiting("ingest")), on: client)
    let empty = bench.ask(.claim(.waiting("ingest")), on: client)
    bench.drain()
    bench.finish(.claimed([.number(1, attempt: 1)]))
    bench.finish(.claimed([]))
    #expect(bench.error(to: key) == .unavailable)
    #expect(bench.error(to: empty) == .unavailable)
    #expect(bench.commands.count == 1)
    guard case .release(.number(1), attempt: 1, _, _)? = bench.commands.first else {
      Issue.record("\(bench.commands)")
      return
    }
    bench.finish(.job(.number(1, attempt: 1, status: .pending), changed: true))
    #expect(bench.commands.isEmpty)
    #expect(bench.revocations(on: client) == [])
  }

  @Test("lets what is under way finish, and writes the reports")
  mutating func underWay() {
    bench.hold(1, on: client)
    let complete = bench.ask(.complete(.number(9), attempt: 1, result: nil), on: client)
    bench.ask(.update(.number(1), attempt: 1, JobUpdate(progress: 5)), on: client)
    bench.drain()
    guard case .report? = bench.commands.last else {
      Issue.record("\(bench.commands)")
      return
    }
    bench.finish(.job(.number(9, attempt: 1, status: .complete), changed: true))
    #expect(bench.replies(to: complete).count == 1)
    #expect(bench.error(to: complete) == nil)
  }

  @Test("ends a reap between two parts")
  mutating func reap() {
    var configuration = CoreConfiguration()
    configuration.sweepBatch = 1
    bench = CoreBench(configuration)
    client = bench.connect(1)
    let key = bench.ask(.reap(timeout: .zero, type: nil), on: client)
    bench.drain()
    bench.finish(.reaped([.number(1, attempt: 1, status: .failed)]))
    #expect(bench.error(to: key) == .unavailable)
    #expect(bench.commands.isEmpty)
  }

  @Test("ends a prune between two batches")
  mutating func prune() {
    var configuration = CoreConfiguration()
    configuration.sweepBatch = 1
    bench = CoreBench(configuration)
    client = bench.connect(1)
    let key = bench.ask(.prune(olderThan: .zero, status: nil, type: nil), on: client)
    bench.drain()
    bench.finish(.pruned([.number(1)]))
    #expect(bench.error(to: key) == .unavailable)
    #expect(bench.commands.isEmpty)
  }
}
