import BrokerCore
import JobModel
import Testing

@Suite("Holding a job")
struct HoldingTests {
  private var bench = CoreBench()
  private var holder = ConnectionID(1)

  init() {
    holder = bench.connect(1)
    bench.hold(1, on: holder)
  }

  @discardableResult
  private mutating func report(
    attempt: Int? = 1, _ update: JobUpdate = JobUpdate(), on connection: ConnectionID? = nil
  ) -> RequestKey {
    bench.ask(.update(.number(1), attempt: attempt, update), on: connection ?? holder)
  }

  private var losses: [JobCommand] { bench.commands.filter { if case .lose = $0 { true } else { false } } }

  // MARK: Reports

  @Test("lets the holder report without waiting for the store")
  mutating func reportInMemory() {
    let key = report(JobUpdate(progress: 40, stage: .set("mix")))
    guard case .job(let job)? = bench.replies(to: key).first else {
      Issue.record("no reply")
      return
    }
    #expect(job.progress == 40)
    #expect(job.stage == "mix")
    #expect(job.leaseExpiresAt == bench.now.wall + .seconds(30))
    #expect(job.metadata == nil)
    #expect(bench.commands.isEmpty)
  }

  @Test("leaves reports of other attempts to the store", arguments: [0, 2])
  mutating func staleReport(attempt: Int) {
    let key = report(attempt: attempt)
    #expect(bench.commands == [.update(.number(1), attempt: attempt, JobUpdate())])
    bench.finish(JobError(.staleClaim, "", job: .number(1, attempt: 1)))
    #expect(bench.error(to: key) == .staleClaim)
  }

  @Test("leaves reports to the store once the lease ran out")
  mutating func reportAfterExpiry() {
    bench.advance(by: .seconds(30))
    report()
    #expect(bench.commands == [.lose(.number(1)), .update(.number(1), attempt: 1, JobUpdate())])
  }

  @Test("leaves to the store what is more than a report")
  mutating func moreThanAReport() {
    let update = JobUpdate(progress: 5, retryCount: 1)
    report(update)
    #expect(bench.commands == [.update(.number(1), attempt: 1, update)])
    #expect(!bench.submitted[0].isVolatile)
  }

  @Test("does not run out while the store takes its time with what the holder sent in time")
  mutating func slowStore() {
    bench.advance(by: .seconds(29))
    report(JobUpdate(result: "{}"))
    bench.advance(by: .seconds(29))
    #expect(losses.isEmpty)
    bench.advance(by: .seconds(1))
    #expect(losses == [.lose(.number(1))])
  }

  @Test("writes reports at least once a second, several as one")
  mutating func reportsAreWritten() {
    report(JobUpdate(progress: 1))
    bench.advance(by: .milliseconds(600))
    report(JobUpdate(progress: 2))
    let heard = bench.now.wall
    #expect(bench.commands.isEmpty)
    bench.advance(by: .milliseconds(400))
    let report = HolderReport(
      claim: .number(1), update: JobUpdate(progress: 2), leaseExpiresAt: heard + .seconds(30), heardAt: heard)
    #expect(bench.commands == [.report([report])])
    #expect(bench.submitted[0].isVolatile)
  }

  @Test("writes reports ahead of what finishes the job")
  mutating func reportsBeforeComplete() {
    report(JobUpdate(progress: 99))
    bench.ask(.complete(.number(1), attempt: 1, result: nil), on: holder)
    guard case .report? = bench.commands.first else {
      Issue.record("\(bench.commands)")
      return
    }
    #expect(bench.commands.last == .complete(.number(1), attempt: 1, result: nil))
  }

  @Test("writes reports again that the store could not write")
  mutating func reportsAreWrittenAgain() {
    report(JobUpdate(progress: 7))
    bench.advance(by: .seconds(1))
    let commands = bench.commands
    bench.finish(JobError(.unavailable, "busy"))
    #expect(bench.commands.isEmpty)
    bench.advance(by: .seconds(1))
    #expect(bench.commands == commands)
  }

  @Test("ends, and the holder is told, when the store says that a reported claim is no longer valid")
  mutating func staleAtTheStore() {
    report()
    bench.advance(by: .seconds(1))
    bench.finish(.reported(stale: [.number(1)]))
    #expect(bench.revocations(on: holder).map(\.claim) == [.number(1)])
    report()
    #expect(bench.commands == [.update(.number(1), attempt: 1, JobUpdate())])
  }

  @Test("shows readers what the holder reported, though the store does not know it yet")
  mutating func overlay() {
    report(JobUpdate(progress: 40, stage: .set("mix")))
    let key = bench.ask(.get(.number(1)), on: holder)
    bench.answer(key, .success(.job(.number(1, attempt: 1))))
    guard case .job(let job)? = bench.replies(to: key).first else {
      Issue.record("no reply")
      return
    }
    #expect(job.progress == 40)
    #expect(job.stage == "mix")
    let later = bench.ask(.get(.number(1)), on: holder)
    bench.answer(later, .success(.job(.number(1, attempt: 1, status: .complete, progress: 100))))
    #expect(bench.replies(to: later) == [.job(.number(1, attempt: 1, status: .complete, progress: 100))])
  }

  // MARK: Leases

  @Test("ends when nothing is heard for the term of the lease, and the holder is told")
  mutating func expiry() {
    bench.advance(by: .milliseconds(29_999))
    #expect(losses.isEmpty)
    bench.advance(by: .milliseconds(1))
    #expect(losses == [.lose(.number(1))])
    bench.finish(.job(.number(1, attempt: 1, status: .pending), changed: true))
    #expect(bench.revocations(on: holder).map(\.status) == [.pending])
  }

  @Test("goes on as long as the holder is heard from")
  mutating func heartbeats() {
    for _ in 0..<10 {
      bench.advance(by: .seconds(20))
      report()
    }
    #expect(losses.isEmpty)
  }

  @Test("ends after the grace when the connection ends")
  mutating func grace() {
    bench.close(holder)
    bench.advance(by: .milliseconds(4_999))
    #expect(losses.isEmpty)
    bench.advance(by: .milliseconds(1))
    #expect(losses == [.lose(.number(1))])
  }

  @Test("goes on when the holder is back in time")
  mutating func back() {
    bench.close(holder)
    bench.advance(by: .seconds(4))
    let again = bench.connect(2)
    report(on: again)
    bench.advance(by: .seconds(29))
    #expect(losses.isEmpty)
    bench.ask(.cancel(.number(1)), on: bench.connect(3))
    while bench.submitted.count > 1 { bench.finishEmpty() }
    bench.finish(.job(.number(1, attempt: 1, status: .cancelled), changed: true))
    #expect(bench.revocations(on: again).map(\.status) == [.cancelled])
  }

  @Test("is told of what happens when the holder came back with more than a report")
  mutating func backWithAnUpdate() {
    bench.close(holder)
    let again = bench.connect(2)
    report(JobUpdate(retryCount: 1), on: again)
    bench.finish(.job(.number(1, attempt: 1), changed: true))
    bench.ask(.cancel(.number(1)), on: bench.connect(3))
    bench.finish(.job(.number(1, attempt: 1, status: .cancelled), changed: true))
    #expect(bench.revocations(on: again).map(\.status) == [.cancelled])
  }

  @Test("has its full term again after a restart of the broker")
  mutating func recovery() {
    let held = Recovery.HeldClaim(job: .number(1, attempt: 3), lease: .seconds(60))
    bench = CoreBench(recovery: Recovery(held: [held]))
    bench.advance(by: .seconds(59))
    #expect(losses.isEmpty)
    bench.advance(by: .seconds(1))
    #expect(losses == [.lose(.number(1, attempt: 3))])
  }

  @Test("outlasts a broker that stood still: those whose heartbeats queued up are heard first")
  mutating func stall() {
    bench.stall(for: .seconds(3_600))
    #expect(losses.isEmpty)
    report()
    bench.advance(by: .seconds(29))
    #expect(losses.isEmpty)
  }

  @Test("does not outlast it when nobody is heard from afterwards")
  mutating func stallOfTheDead() {
    bench.stall(for: .seconds(3_600))
    bench.advance(by: .milliseconds(499))
    #expect(losses.isEmpty)
    bench.advance(by: .milliseconds(1))
    #expect(losses == [.lose(.number(1))])
  }

  @Test("is not ended by the wall clock", arguments: [-86_400, -3_600, 3_600, 86_400] as [Int64])
  mutating func wallClock(jump: Int64) {
    bench.now.wall = bench.now.wall + .seconds(jump)
    bench.advance(by: .seconds(29))
    #expect(losses.isEmpty)
    bench.advance(by: .seconds(1))
    #expect(losses == [.lose(.number(1))])
  }

  @Test("is tried to be ended again when the store could not")
  mutating func storeUnavailable() {
    bench.advance(by: .seconds(30))
    bench.finish(JobError(.unavailable, "busy"))
    #expect(losses.isEmpty)
    bench.advance(by: .seconds(1))
    #expect(losses == [.lose(.number(1))])
  }

  @Test(
    "has ended when the store says so",
    arguments: [.failure(JobError(.staleClaim, "")), .failure(JobError.notFound(.number(1))), nil]
      as [Result<JobReply, JobError>?])
  mutating func endedBefore(result: Result<JobReply, JobError>?) {
    bench.advance(by: .seconds(30))
    bench.finish(result ?? .success(.job(.number(1, attempt: 1, status: .pending), changed: false)))
    bench.advance(by: .seconds(3_600))
    #expect(bench.commands.isEmpty)
    let key = bench.ask(.workers, on: holder)
    guard case .workers(let list)? = bench.replies(to: key).first else {
      Issue.record("no list of workers")
      return
    }
    #expect(list.workers[0].holds.isEmpty)
  }

  // MARK: Taken away

  @Test("ends at once when the job is cancelled, and the holder is told")
  mutating func cancelled() {
    let canceller = bench.connect(2)
    let key = bench.ask(.cancel(.number(1)), on: canceller)
    bench.finish(.job(.number(1, attempt: 1, status: .cancelled), changed: true))
    let revocation = Revocation(claim: .number(1), status: .cancelled, reason: "The job was cancelled.")
    #expect(bench.revocations(on: holder) == [revocation])
    #expect(bench.replies(to: key).count == 1)
    bench.advance(by: .seconds(60))
    #expect(losses.isEmpty)
  }

  @Test("ends when the job is deleted, and the holder is told")
  mutating func deleted() {
    bench.ask(.delete(.number(1)), on: bench.connect(2))
    bench.finish(.deleted(.number(1, attempt: 1)))
    #expect(bench.revocations(on: holder).map(\.status) == [nil])
  }

  @Test("ends without a notice when the holder itself ends it")
  mutating func completed() {
    bench.ask(.complete(.number(1), attempt: 1, result: nil), on: holder)
    bench.finish(.job(.number(1, attempt: 1, status: .complete), changed: true))
    #expect(bench.revocations(on: holder) == [])
    bench.advance(by: .seconds(60))
    #expect(losses.isEmpty)
  }

  @Test("goes on when what was asked changed nothing")
  mutating func unchanged() {
    bench.ask(.release(.number(1), attempt: nil, delay: .zero), on: bench.connect(2))
    bench.finish(.job(.number(1, attempt: 1), changed: false))
    #expect(bench.revocations(on: holder) == [])
    report()
    #expect(bench.commands.isEmpty)
  }

  @Test("is not touched by what is told of an earlier attempt", arguments: JobStatus.allCases)
  mutating func outOfOrder(status: JobStatus) {
    let late = bench.ask(.fail(.number(2), attempt: 1, error: "", retryable: true), on: bench.connect(2))
    bench.ask(.claim(ClaimRequest()), on: holder)
    let result = Result<JobReply, JobError>.success(
      .job(.number(2, attempt: 1, status: status), changed: true))
    let submission = bench.submitted[0]
    bench.core.finish(bench.submitted[1], .success(.claimed([.number(2, attempt: 2)])), at: bench.now)
    bench.core.finish(submission, result, at: bench.now)
    bench.core.actions = []
    _ = late
    let key = bench.ask(.update(.number(2), attempt: 2, JobUpdate(progress: 1)), on: holder)
    #expect(bench.replies(to: key).count == 1, "the lease of attempt 2 is still in force")
  }

  // MARK: Not delivered

  @Test("ends at once when the claim could not be delivered")
  mutating func undelivered() {
    bench.close(holder)
    bench.undelivered([.number(1)])
    guard case .release(.number(1), attempt: 1, delay: .zero, reason: _?)? = bench.commands.first else {
      Issue.record("\(bench.commands)")
      return
    }
    bench.finish(.job(.number(1, attempt: 1, status: .pending), changed: true))
    #expect(bench.takeSent().isEmpty)
    bench.advance(by: .seconds(60))
    #expect(bench.commands.isEmpty)
  }

  @Test("ends later when the job could not be given back at once")
  mutating func notGivenBack() {
    bench.close(holder)
    bench.undelivered([.number(1)])
    bench.finish(JobError(.unavailable, "busy"))
    bench.advance(by: .seconds(1))
    #expect(losses == [.lose(.number(1))])
  }

  @Test("by another is not touched when an earlier claim turns out not to have been delivered")
  mutating func undeliveredLate() {
    bench.close(holder)
    bench.advance(by: .seconds(5))
    bench.finish(.job(.number(1, attempt: 1, status: .pending), changed: true))
    let other = bench.connect(2)
    bench.hold(1, attempt: 2, on: other)
    bench.undelivered([.number(1, attempt: 1)])
    while !bench.submitted.isEmpty { bench.finish(JobError(.staleClaim, "")) }
    bench.advance(by: .seconds(30))
    #expect(losses == [.lose(.number(1, attempt: 2))])
  }
}
