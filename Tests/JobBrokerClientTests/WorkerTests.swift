import JobModel
import Logging
import ServiceLifecycle
import Testing

@testable import JobBrokerClient

@Suite(.timeLimit(.minutes(10))) struct WorkerTests {
  /// A worker at work under a service group, in a program that closes the client as soon as it has ended, and the
  /// broker's end of its connection.
  private struct Scene {
    let broker: ScriptedBroker
    let connection: ScriptedBroker.Connection
    let group: ServiceGroup
    let run: Task<Void, any Error>

    init(
      concurrency: Int = 1, lease: Duration = .seconds(3600), gracePeriod: Duration = .seconds(60),
      lastPatience: Duration = .seconds(600), handler: @escaping Worker.Handler
    ) async throws {
      let client: JobBrokerClient
      (broker, connection, client) = try await connected(lastPatience: lastPatience)
      let worker = Worker(
        client: client, types: ["ingest"], concurrency: concurrency, lease: lease, gracePeriod: gracePeriod,
        handler: handler)
      let group = ServiceGroup(services: [worker], logger: Logger(label: "tests"))
      self.group = group
      run = Task {
        do {
          try await group.run()
        } catch {
          await client.close()
          throw error
        }
        await client.close()
      }
    }

    /// Answers the worker's claim with these jobs.
    func give(_ jobs: [Job], on connection: ScriptedBroker.Connection? = nil) async throws {
      let connection = connection ?? self.connection
      let (id, operation) = try await connection.next()
      guard case .claim = operation else {
        Issue.record("not a claim: \(operation)")
        return
      }
      connection.reply(to: id, .claimed(jobs))
    }
  }

  @Test func completesWithTheHandlersResultUnderItsAttempt() async throws {
    let scene = try await Scene { context in #"{"type":"\#(context.job.type)"}"# }
    let job = someJob(attempt: 4)
    try await scene.give([job])
    let result = #"{"type":"ingest"}"#
    let ending = try await scene.connection.next()
    #expect(ending.operation == .complete(job.id, attempt: 4, result: result))
    scene.connection.reply(to: ending.id, .job(job))
    scene.run.cancel()
  }

  @Test func whatIsToldOfAnEndingIsLetGo() {
    weak var claim: HeldClaim?
    do {
      let held = HeldClaim(ClaimToken(id: .timeOrdered(), attempt: 1))
      held.onceTold { _ in _ = held.token }
      held.told(nil)
      claim = held
    }
    #expect(claim == nil)
  }

  @Test func saysWhetherTheBrokerTookTheEndingOnceThatIsKnown() async throws {
    let outcomes = Mailbox<JobError.Code?>()
    let scene = try await Scene { context in
      context.onceTold { outcomes.put($0?.code) }
      return nil
    }
    for refusal in [nil, JobError(.staleClaim, "too late")] {
      let job = someJob()
      try await scene.give([job])
      let ending = try await scene.connection.next()
      #expect(outcomes.count == 0)
      scene.connection.reply(to: ending.id, refusal.map { .error($0) } ?? .job(job))
      #expect(await outcomes.take() == .some(refusal?.code))
    }
    scene.run.cancel()
  }

  @Test func errorsFailRetryablyUnlessTheySayOtherwise() async throws {
    let scene = try await Scene { context in
      if context.job.attempt == 1 { throw PermanentFailure("no such codec") }
      throw RetryableFailure("disk\0full")
    }
    for (attempt, message, retryable) in [(1, "no such codec", false), (2, "disk full", true)] {
      let job = someJob(attempt: attempt)
      try await scene.give([job])
      let ending = try await scene.connection.next()
      #expect(ending.operation == .fail(job.id, attempt: attempt, error: message, retryable: retryable))
      scene.connection.reply(to: ending.id, .job(job))
    }
    scene.run.cancel()
  }

  @Test func claimsAsManyJobsAsItHasPlacesFor() async throws {
    let gate = Gate()
    let scene = try await Scene(concurrency: 3) { _ in
      await gate.wait()
      return nil
    }
    let first = try await scene.connection.next()
    guard case .claim(let claim) = first.operation else { throw JobError(.internal, "\(first)") }
    #expect(claim.maxJobs == 3 && claim.types == ["ingest"] && claim.wait > .zero)
    scene.connection.reply(to: first.id, .claimed([someJob(), someJob()]))
    guard case .claim(let next) = try await scene.connection.next().operation else {
      throw JobError(.internal, "not a claim")
    }
    #expect(next.maxJobs == 1)
    gate.open()
    scene.run.cancel()
  }

  @Test func heartbeatsWhileTheHandlerWorks() async throws {
    let gate = Gate()
    let scene = try await Scene(lease: .milliseconds(30)) { _ in
      await gate.wait()
      return nil
    }
    let job = someJob(attempt: 2)
    try await scene.give([job])
    for _ in 0..<3 {
      let (id, operation) = try await scene.connection.next()
      #expect(operation == .update(job.id, attempt: 2, JobUpdate()))
      scene.connection.reply(to: id, .job(job))
    }
    gate.open()
    scene.run.cancel()
  }

  @Test func reportsThatComeFasterThanTheBrokerAnswersAreMerged() async throws {
    let gate = Gate()
    let scene = try await Scene { context in
      try await context.report(stage: .set("decoding"), progress: 10)
      try await context.report(progress: 20)
      try await context.report(stage: .set("checking"), progress: 30)
      try await context.report(progress: 40)
      await gate.wait()
      return nil
    }
    let job = someJob()
    try await scene.give([job])
    let first = try await scene.connection.next()
    #expect(first.operation == .update(job.id, attempt: 1, JobUpdate(progress: 10, stage: .set("decoding"))))
    gate.open()
    // The completion comes after all reports were made; the first is not answered before that.
    let ending = try await scene.connection.next()
    #expect(ending.operation == .complete(job.id, attempt: 1, result: nil))
    scene.connection.reply(to: first.id, .job(job))
    let second = try await scene.connection.next()
    #expect(second.operation == .update(job.id, attempt: 1, JobUpdate(progress: 40, stage: .set("checking"))))
    scene.run.cancel()
  }

  @Test(arguments: [Double.nan, -1, 100.5])
  func aProgressOutOfRangeIsRefusedAtOnce(_ progress: Double) async throws {
    let scene = try await Scene { context in
      try await context.report(progress: progress)
      return nil
    }
    try await scene.give([someJob()])
    guard case .fail(_, _, let error, _) = try await scene.connection.next().operation else {
      throw JobError(.internal, "not failed")
    }
    #expect(error.contains("INVALID_ARGUMENT"))
    scene.run.cancel()
  }

  @Test func aRevocationCancelsTheHandlerAndNothingIsReportedAfterwards() async throws {
    let started = Gate()
    let refusals = Mailbox<JobError?>()
    let scene = try await Scene { context in
      started.open()
      await Gate().wait()
      #expect(Task.isCancelled && context.isCancelled)
      refusals.put(await failure { () throws(JobError) in try await context.report(progress: 99) })
      throw CancellationError()
    }
    let job = someJob()
    try await scene.give([job])
    await started.wait()
    scene.connection.reply(
      to: 0, .revoked(Revocation(claim: job.claim, status: .cancelled, reason: "cancelled")))
    #expect(await refusals.take()??.code == .staleClaim)
    try await scene.give([])
    scene.run.cancel()
  }

  @Test func aStaleClaimCancelsTheHandler() async throws {
    let scene = try await Scene { context in
      try await context.report(progress: 1)
      await Gate().wait()
      return nil
    }
    try await scene.give([someJob()])
    let report = try await scene.connection.next().id
    scene.connection.reply(to: report, .error(JobError(.staleClaim, "reaped")))
    try await scene.give([])
    scene.run.cancel()
  }

  @Test func aGracefulShutdownFinishesTheCurrentJobsAndTakesNoMore() async throws {
    let started = Gate()
    let gate = Gate()
    let scene = try await Scene(concurrency: 2) { _ in
      started.open()
      await gate.wait()
      #expect(!Task.isCancelled)
      return nil
    }
    let job = someJob()
    try await scene.give([job])
    await started.wait()
    let blocked = try await scene.connection.next()
    guard case .claim = blocked.operation else { throw JobError(.internal, "not a claim") }
    await scene.group.triggerGracefulShutdown()
    gate.open()
    for _ in 0..<2 {
      let (id, operation) = try await scene.connection.next()
      if operation == .withdraw(id: blocked.id) {
        scene.connection.reply(to: blocked.id, .claimed([]))
        scene.connection.reply(to: id, .done)
      } else {
        #expect(operation == .complete(job.id, attempt: 1, result: nil))
        scene.connection.reply(to: id, .job(job))
      }
    }
    try await scene.run.value
  }

  @Test(arguments: [true, false])
  func aStoppingWorkerGivesBackWhatStillComesForItsWithdrawnClaim(_ isGraceful: Bool) async throws {
    let scene = try await Scene { _ in
      Issue.record("a job was taken after the stop")
      return nil
    }
    let claim = try await scene.connection.next()
    if isGraceful { await scene.group.triggerGracefulShutdown() } else { scene.run.cancel() }
    let withdrawal = try await scene.connection.next()
    #expect(withdrawal.operation == .withdraw(id: claim.id))
    let job = someJob(attempt: 3)
    scene.connection.reply(to: claim.id, .claimed([job]))
    scene.connection.reply(to: withdrawal.id, .done)
    let release = try await scene.connection.next()
    #expect(release.operation == .release(job.id, attempt: 3, delay: .zero))
    scene.connection.reply(to: release.id, .job(job))
    _ = await scene.run.result
  }

  @Test func whatTheGracePeriodCutsShortIsGivenBack() async throws {
    let started = Gate()
    let scene = try await Scene(gracePeriod: .milliseconds(1)) { _ in
      started.open()
      await Gate().wait()
      try Task.checkCancellation()
      return nil
    }
    let job = someJob(attempt: 5)
    try await scene.give([job])
    await started.wait()
    await scene.group.triggerGracefulShutdown()
    let ending = try await scene.connection.next()
    #expect(ending.operation == .release(job.id, attempt: 5, delay: .zero))
    scene.connection.reply(to: ending.id, .job(job))
    try await scene.run.value
  }

  /// It waits for the broker's answer to the withdrawn claim, but not for ever.
  @Test func aWorkerWhoseBrokerAnswersNothingStops() async throws {
    let scene = try await Scene(lastPatience: .milliseconds(100)) { _ in nil }
    _ = try await scene.connection.next()
    await scene.group.triggerGracefulShutdown()
    try await scene.run.value
  }

  @Test(arguments: [true, false])
  func afterTheGracePeriodABrokerThatIsAwayIsNotWaitedFor(_ isTelling: Bool) async throws {
    let started = Gate()
    let scene = try await Scene(gracePeriod: .zero, lastPatience: .milliseconds(100)) { _ in
      started.open()
      if !isTelling { await Gate().wait() }
      try Task.checkCancellation()
      return nil
    }
    let job = someJob()
    try await scene.give([job])
    await started.wait()
    if isTelling {
      let ending = try await scene.connection.next().operation
      #expect(ending == .complete(job.id, attempt: 1, result: nil))
    }
    try await scene.broker.stop()
    try await scene.connection.close()
    await scene.group.triggerGracefulShutdown()
    try await scene.run.value
  }

  @Test func afterALostConnectionTheClaimIsHeartbeatedFirstAndTheEndingSentAgain() async throws {
    let scene = try await Scene { _ in "{}" }
    let job = someJob(attempt: 7)
    try await scene.give([job])
    let complete = JobModel.Operation.complete(job.id, attempt: 7, result: "{}")
    #expect(try await scene.connection.next().operation == complete)
    try await scene.connection.close()
    let next = try await scene.broker.welcome()
    let heartbeat = try await next.next()
    #expect(heartbeat.operation == .update(job.id, attempt: 7, JobUpdate()))
    // The completion had arrived: the heartbeat is too late, the repeated completion is answered as the first.
    next.reply(to: heartbeat.id, .error(JobError(.jobFinished, "it is complete")))
    let ending = try await next.next()
    #expect(ending.operation == complete)
    next.reply(to: ending.id, .job(job))
    try await scene.give([], on: next)
    scene.run.cancel()
  }

  @Test func aResultTheBrokerRefusesFailsTheJob() async throws {
    let scene = try await Scene { _ in "not JSON" }
    let job = someJob()
    try await scene.give([job])
    let refused = try await scene.connection.next()
    scene.connection.reply(to: refused.id, .error(JobError(.invalidArgument, "result is no JSON object")))
    let ending = try await scene.connection.next()
    let error = "the handler's result was refused: result is no JSON object"
    #expect(ending.operation == .fail(job.id, attempt: 1, error: error, retryable: false))
    scene.run.cancel()
  }

  @Test func aWorkerThatMayNotClaimSaysSo() async throws {
    let scene = try await Scene { _ in nil }
    let id = try await scene.connection.next().id
    scene.connection.reply(to: id, .error(JobError(.permissionDenied, "read-only")))
    await #expect(throws: (any Error).self) { try await scene.run.value }
  }
}
