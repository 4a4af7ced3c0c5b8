import BrokerCore
import JobModel
import Testing

@Suite("Claiming")
struct ClaimingTests {
  private var bench = CoreBench()

  private func claims(_ commands: [JobCommand]) -> [[String]] {
    commands.compactMap { if case .claim(let types, _, _, _) = $0 { types } else { nil } }
  }

  private func created(_ jobs: Job...) -> JobReply {
    .created(jobs.map { CreatedJob(job: $0, created: true) })
  }

  @Test("goes to the store under the name that the kernel and the worker give")
  mutating func command() {
    let worker = bench.connect(4, as: "studio")
    bench.ask(.claim(ClaimRequest(types: ["ingest"], maxJobs: 3, lease: .seconds(7))), on: worker)
    let identity = WorkerIdentity(name: "studio", pid: 4, uid: 1000)
    #expect(bench.commands == [.claim(types: ["ingest"], maxJobs: 3, lease: .seconds(7), worker: identity)])
  }

  @Test("is answered with the job, and may be told before it is durable")
  mutating func answered() {
    let worker = bench.connect(1)
    let key = bench.ask(.claim(ClaimRequest()), on: worker)
    #expect(bench.submitted[0].isVolatile)
    bench.finish(.claimed([.number(1, attempt: 1)]))
    #expect(bench.replies(to: key) == [.claimed([.number(1, attempt: 1)])])
    #expect(bench.takeSent()[0].handingOver == [.number(1)])
  }

  @Test("without waiting is answered at once when there is nothing")
  mutating func withoutWaiting() {
    let worker = bench.connect(1)
    let key = bench.wait(ClaimRequest(), on: worker)
    #expect(bench.replies(to: key) == [.claimed([])])
  }

  @Test("waits when there is nothing, and is answered with nothing at its deadline")
  mutating func deadline() {
    let worker = bench.connect(1)
    let key = bench.wait(.waiting("ingest", wait: .seconds(10)), on: worker)
    bench.advance(by: .milliseconds(9_999))
    #expect(bench.replies(to: key) == [])
    bench.advance(by: .milliseconds(1))
    #expect(bench.replies(to: key) == [.claimed([])])
    bench.ask(.create([NewJob(type: "ingest")]), on: worker)
    #expect(claims(bench.commands) == [], "nobody waits any more")
  }

  @Test("is answered with nothing when its deadline passed at the store")
  mutating func deadlineAtTheStore() {
    let worker = bench.connect(1)
    let key = bench.ask(.claim(.waiting("ingest", wait: .seconds(1))), on: worker)
    bench.advance(by: .seconds(2))
    bench.finish(.claimed([]))
    #expect(bench.replies(to: key) == [.claimed([])])
  }

  @Test("that waits rides right behind the create that it waits for")
  mutating func wakeUp() {
    let worker = bench.connect(1)
    let producer = bench.connect(2)
    let key = bench.wait(.waiting("ingest"), on: worker)
    let job = NewJob(type: "ingest")
    bench.ask(.create([job]), on: producer)
    #expect(bench.commands.first == .create([job]))
    #expect(claims(bench.commands) == [["ingest"]])
    bench.finish(created(.number(1)))
    bench.finish(.claimed([.number(1, attempt: 1)]))
    #expect(bench.replies(to: key) == [.claimed([.number(1, attempt: 1)])])
  }

  @Test("of types that differ only in how a letter is encoded are both woken by a create of both")
  mutating func wakeUpByBytes() {
    let (composed, decomposed) = ("caf\u{e9}", "cafe\u{301}")
    bench.wait(.waiting(composed), on: bench.connect(1))
    bench.wait(.waiting(decomposed), on: bench.connect(2))
    bench.ask(.create([NewJob(type: composed), NewJob(type: decomposed)]), on: bench.connect(3))
    let woken = claims(bench.commands).map { $0.map { Array($0.utf8) } }
    #expect(Set(woken) == [[Array(composed.utf8)], [Array(decomposed.utf8)]])
  }

  @Test("by others than a create's jobs suffice for is not woken, neither before the create nor after")
  mutating func noMoreThanNeeded() {
    let producer = bench.connect(1)
    for number in 2...4 { bench.wait(.waiting("ingest"), on: bench.connect(UInt64(number))) }
    bench.ask(.create([NewJob(type: "ingest"), NewJob(type: "ingest")]), on: producer)
    #expect(claims(bench.commands).count == 2)
    bench.finish(created(.number(1), .number(2)))
    #expect(claims(bench.commands).count == 2)
  }

  @Test("is not woken by a job that must wait for its moment, unless the store says it need not")
  mutating func notBefore() {
    let producer = bench.connect(1)
    bench.wait(.waiting("ingest"), on: bench.connect(2))
    let due = bench.now.wall + .seconds(1)
    bench.ask(.create([NewJob(type: "ingest", notBefore: due)]), on: producer)
    bench.finish(created(.number(1, notBefore: due)))
    #expect(claims(bench.commands) == [])
    bench.ask(.create([NewJob(type: "ingest", notBefore: bench.now.wall)]), on: producer)
    bench.finish(created(.number(2)))
    #expect(claims(bench.commands) == [["ingest"]])
  }

  @Test("that is at the store when a job is created goes again behind it")
  mutating func missedSignal() {
    let worker = bench.connect(1)
    let key = bench.ask(.claim(.waiting("ingest")), on: worker)
    bench.ask(.create([NewJob(type: "ingest")]), on: bench.connect(2))
    bench.finishEmpty()
    #expect(claims(bench.commands) == [["ingest"]])
    bench.finish(created(.number(1)))
    bench.finish(.claimed([.number(1, attempt: 1)]))
    #expect(bench.replies(to: key) == [.claimed([.number(1, attempt: 1)])])
  }

  @Test(
    "that was woken for one job and took another leaves no waiting claim behind", arguments: [true, false])
  mutating func tookAnother(isCreated: Bool) {
    bench = CoreBench(recovery: Recovery(nextDue: bench.now.wall + .seconds(1)))
    let both = bench.connect(1)
    let saves = bench.connect(2)
    let ingests = bench.connect(3)
    bench.wait(.waiting("ingest", "save"), on: both)
    bench.wait(.waiting("save"), on: saves)
    let key = bench.wait(.waiting("ingest"), on: ingests)
    if isCreated {
      bench.ask(.create([NewJob(type: "ingest"), NewJob(type: "save", priority: 1)]), on: bench.connect(4))
      bench.finish(created(.number(1, type: "ingest"), .number(2, type: "save")))
    } else {
      bench.advance(by: .seconds(1))
      bench.finish(.promoted(["ingest": 1, "save": 1], nextDue: nil))
    }
    #expect(claims(bench.commands) == [["ingest", "save"], ["save"]])
    bench.finish(.claimed([.number(2, type: "save", attempt: 1)]))
    #expect(claims(bench.commands) == [["save"], ["ingest"]])
    bench.finishEmpty()
    bench.finish(.claimed([.number(1, type: "ingest", attempt: 1)]))
    #expect(bench.replies(to: key) == [.claimed([.number(1, type: "ingest", attempt: 1)])])
  }

  @Test("that was woken and failed leaves no waiting claim behind")
  mutating func failed() {
    let first = bench.wait(.waiting("ingest"), on: bench.connect(1))
    bench.wait(.waiting("ingest"), on: bench.connect(2))
    bench.ask(.create([NewJob(type: "ingest")]), on: bench.connect(3))
    bench.finish(created(.number(1)))
    bench.finish(JobError(.unavailable, "busy"))
    #expect(bench.error(to: first) == .unavailable)
    #expect(claims(bench.commands) == [["ingest"]])
  }

  @Test("is woken by a job that comes back", arguments: ["release", "fail", "retry", "lose"])
  mutating func comesBack(how: String) {
    let holder = bench.connect(1)
    bench.hold(1, on: holder)
    bench.wait(.waiting("ingest"), on: bench.connect(2))
    switch how {
    case "release": bench.ask(.release(.number(1), attempt: 1, delay: .zero), on: holder)
    case "fail": bench.ask(.fail(.number(1), attempt: 1, error: "", retryable: true), on: holder)
    case "retry": bench.ask(.retry(.number(1)), on: holder)
    default: bench.advance(by: .seconds(30))
    }
    #expect(claims(bench.commands) == [])
    bench.finish(.job(.number(1, attempt: 1, status: .pending), changed: true))
    #expect(claims(bench.commands) == [["ingest"]])
  }

  @Test("leaves the line when its worker is gone")
  mutating func workerGone() {
    let worker = bench.connect(1)
    bench.wait(.waiting("ingest"), on: worker)
    bench.close(worker)
    bench.ask(.create([NewJob(type: "ingest")]), on: bench.connect(2))
    #expect(claims(bench.commands) == [])
  }

  @Test("by a worker that is gone when the job comes gives it back at once")
  mutating func goneAtTheStore() {
    let worker = bench.connect(1)
    bench.ask(.claim(.waiting("ingest")), on: worker)
    bench.close(worker)
    bench.finish(.claimed([.number(1, attempt: 1)]))
    guard case .release(.number(1), attempt: 1, delay: .zero, reason: _?)? = bench.commands.first else {
      Issue.record("the job was not given back: \(bench.commands)")
      return
    }
    #expect(bench.takeSent().isEmpty)
  }

  @Test("that is withdrawn is answered with nothing, and nobody wakes it any more")
  mutating func withdrawn() {
    let worker = bench.connect(1)
    let other = bench.wait(.waiting("ingest"), on: bench.connect(2))
    let key = bench.wait(.waiting("ingest"), on: worker)
    let withdrawal = bench.ask(.withdraw(id: key.id), on: worker)
    #expect(bench.replies(to: key) == [.claimed([])])
    #expect(bench.takeSent().map(\.key) == [key, withdrawal], "the claim is answered first")
    bench.ask(.create([NewJob(type: "ingest"), NewJob(type: "ingest")]), on: worker)
    #expect(claims(bench.commands).count == 1)
    bench.finish(created(.number(1)))
    bench.finish(.claimed([.number(1, attempt: 1)]))
    #expect(bench.replies(to: other).count == 1)
  }

  @Test("that is withdrawn while at the store does not wait any more, even if it missed a job")
  mutating func withdrawnAtTheStore() {
    let worker = bench.connect(1)
    let key = bench.ask(.claim(.waiting("ingest")), on: worker)
    bench.ask(.withdraw(id: key.id), on: worker)
    bench.ask(.create([NewJob(type: "ingest")]), on: worker)
    #expect(bench.replies(to: key) == [])
    bench.finishEmpty()
    #expect(bench.replies(to: key) == [.claimed([])])
    #expect(claims(bench.commands) == [])
  }

  @Test("that is withdrawn too late brings its jobs")
  mutating func withdrawnTooLate() {
    let worker = bench.connect(1)
    let key = bench.ask(.claim(.waiting("ingest")), on: worker)
    bench.ask(.withdraw(id: key.id), on: worker)
    bench.finish(.claimed([.number(1, attempt: 1)]))
    #expect(bench.replies(to: key) == [.claimed([.number(1, attempt: 1)])])
    let withdrawal = bench.ask(.withdraw(id: key.id), on: worker)
    #expect(bench.replies(to: withdrawal) == [.done])
  }

  @Test("is not withdrawn by another connection")
  mutating func withdrawnByAnother() {
    let key = bench.wait(.waiting("ingest"), on: bench.connect(1))
    bench.ask(.withdraw(id: key.id), on: bench.connect(2))
    #expect(bench.replies(to: key) == [])
  }
}
