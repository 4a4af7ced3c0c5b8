import Foundation
import JobBrokerClient
import JobModel
import JobProtocol
import Synchronization
import Testing

/// Who holds a job, and for how long.
@Suite struct ClaimTests {
  @Test func aLateCompletionByAWorkerThatLostItsJobIsRefused() async throws {
    try await withBroker { broker in
      let slow = try await broker.client(name: "slow")
      let quick = try await broker.client(name: "quick")
      let id = try await quick.create(NewJob(type: "t")).job.id
      let first = try #require(try await slow.claim(ClaimRequest(lease: .milliseconds(10))).first)
      let second = try #require(try await quick.claim(ClaimRequest(wait: .seconds(60))).first)
      #expect(second.id == id && second.attempt == 2 && second.lostCount == 1)
      let error = await expect(.staleClaim) {
        _ = try await slow.complete(id, result: #"{"by":"slow"}"#, attempt: first.attempt)
      }
      #expect(error?.job?.attempt == 2 && error?.job?.status == .processing)
      _ = try await quick.complete(id, result: #"{"by":"quick"}"#, attempt: second.attempt)
      let done = try #require(try await quick.get(id))
      #expect(done.result == #"{"by":"quick"}"# && done.history.map(\.cause) == [.lost])
    }
  }

  @Test func claimsOfJobsWithLongErrorsAreAnsweredAndSoIsTheirCreateOnceMore() async throws {
    try await withBroker { broker in
      let client = try await broker.client()
      let new = (0..<100).map { _ in NewJob(type: "t", maxRetries: 9) }
      _ = try await client.create(new)
      let error = String(repeating: "x", count: Limits.error)
      for job in try await client.claim(ClaimRequest(maxJobs: 100, lease: .seconds(3600))) {
        _ = try await client.fail(job.id, error: error, retryable: true, attempt: job.attempt)
      }
      let again = try await client.create(new)
      #expect(again.map(\.job.id) == new.map(\.id) && !again.contains(where: \.created))
      var claimed: [JobID] = []
      while claimed.count < 100 {
        let jobs = try await client.claim(
          ClaimRequest(maxJobs: 100, wait: .seconds(60), lease: .seconds(3600)))
        #expect(jobs.allSatisfy { $0.attempt == 2 && $0.error == error })
        claimed += jobs.map(\.id)
      }
      #expect(Set(claimed) == Set(new.map(\.id)))
    }
  }

  @Test func aJobThatDidNotFitIntoAClaimGoesToTheNextThatWaits() async throws {
    try await withBroker { broker in
      let (first, second) = (try await broker.client(name: "first"), try await broker.client(name: "second"))
      async let many = first.claim(ClaimRequest(maxJobs: 10, wait: .seconds(60)))
      try await until(first.stats) { $0.waitingClaims == 1 }
      async let one = second.claim(ClaimRequest(wait: .seconds(60)))
      try await until(second.stats) { $0.waitingClaims == 2 }
      let metadata = #"{"x":"\#(String(repeating: "x", count: 300_000))"}"#
      let made = try await broker.client().create([
        NewJob(type: "t", metadata: metadata), NewJob(type: "t", metadata: metadata),
      ])
      #expect(try await many.map(\.id) + one.map(\.id) == made.map(\.job.id))
    }
  }

  @Test func aRepeatedCompletionIsAnsweredAsTheFirstTime() async throws {
    try await withBroker { broker in
      let client = try await broker.client()
      let id = try await client.create(NewJob(type: "t")).job.id
      _ = try await client.claim()
      #expect(try await client.complete(id, result: #"{"a":1}"#, attempt: 1).status == .complete)
      #expect(try await client.complete(id, result: #"{"a":1}"#, attempt: 1).status == .complete)
      await expect(.jobFinished) { _ = try await client.fail(id, error: "too late") }
    }
  }

  @Test func aCancellationReachesTheHolderAndItsWorkNoLongerCounts() async throws {
    try await withBroker { broker in
      let holder = try RawConnection(to: broker.socket)
      try await holder.greet()
      let client = try await broker.client()
      let id = try await client.create(NewJob(type: "t")).job.id
      guard case .claimed(let jobs) = try await holder.ask(2, .claim(ClaimRequest())) else { return }
      #expect(jobs.map(\.id) == [id])
      #expect(try await client.cancel(id).status == .cancelled)
      let notice = try #require(try await holder.read())
      guard case .revoked(let revocation) = notice.reply else {
        Issue.record("\(notice)")
        return
      }
      #expect(notice.id == 0 && revocation.claim == jobs[0].claim && revocation.status == .cancelled)
      guard case .error(let error) = try await holder.ask(3, .complete(id, attempt: 1, result: nil)) else {
        Issue.record("a cancelled job was completed")
        return
      }
      #expect(error.code == .staleClaim)
    }
  }

  @Test func aHandlerIsToldOfACancellationHoweverSoonItComes() async throws {
    try await withBroker { broker in
      let client = try await broker.client()
      let started = Atomic(0)
      let ended = Atomic(0)
      try await withThrowingTaskGroup(of: Void.self) { group in
        let worker = Worker(client: try await broker.client(name: "worker"), concurrency: 8) { _ in
          started.add(1, ordering: .relaxed)
          defer { ended.add(1, ordering: .relaxed) }
          // For ever, but for a cancellation.
          for await _ in AsyncStream<Void>.makeStream().stream {}
          return nil
        }
        group.addTask { try await worker.run() }
        for _ in 0..<150 {
          let job = NewJob(type: "t")
          // On the client's loop, so that both go out in one write and in this order.
          try await Task(executorPreference: client.taskExecutor) {
            async let created = client.create(job)
            async let cancelled = client.cancel(job.id)
            _ = try await (created, cancelled)
          }.value
        }
        try await until({ try await client.stats().waitingClaims }) { count in
          count > 0 && started.load(ordering: .relaxed) == ended.load(ordering: .relaxed)
        }
        group.cancelAll()
      }
    }
  }

  @Test func aPeerThatVanishedBeforeItsClaimWasDeliveredGivesTheJobBackAtOnce() async throws {
    try await withBroker { broker in
      let client = try await broker.client()
      let id = try await client.create(NewJob(type: "t")).job.id
      let vanishing = try RawConnection(to: broker.socket)
      broker.process.suspend()
      try await vanishing.write(
        Request(id: 1, operation: .hello(Hello(client: "raw"))),
        Request(id: 2, operation: .claim(ClaimRequest(lease: .seconds(3600)))))
      vanishing.cut()
      broker.process.send(SIGCONT)
      // Whichever the broker notices first, the claim or the end, the job is not lost after the grace.
      let job = try #require(try await client.claim(ClaimRequest(wait: .seconds(600))).first)
      #expect(job.id == id)
      let history = try #require(try await client.get(id)).history
      #expect(history.allSatisfy { $0.cause == .released })
    }
  }

  @Test func aPeerThatVanishesWhileItsClaimWaitsForItsSocketGivesTheJobBackAtOnce() async throws {
    try await withBroker { broker in
      let client = try await broker.client()
      let id = try await client.create(NewJob(type: "t")).job.id
      let vanishing = try RawConnection(to: broker.socket)
      try await vanishing.greet()
      let flood = try await vanishing.requestsWithLongAnswers()
      let claim = Request(id: 100, operation: .claim(ClaimRequest(types: ["t"], lease: .seconds(3600))))
      await vanishing.write(try RawConnection.frames(of: flood + [claim]))
      try await until({ try await client.get(id) }) { $0?.status == .processing }
      vanishing.cut()
      _ = try #require(try await client.claim(ClaimRequest(types: ["t"], wait: .seconds(600))).first)
      let history = try #require(try await client.get(id)).history
      #expect(history.map(\.cause) == [.released])
      #expect(history.first?.error == "the worker was gone before its claim could be delivered")
    }
  }

  @Test(arguments: [false, true])
  func aClaimThatWasDeliveredIsNotGivenBackWithWhatIsBehindIt(isHeardBefore: Bool) async throws {
    try await withBroker { broker in
      let client = try await broker.client()
      let (first, second) = (try RawConnection(to: broker.socket), try RawConnection(to: broker.socket))
      try await first.greet()
      try await second.greet()
      let claim = ClaimRequest(types: ["t"], wait: .seconds(3600), lease: .seconds(3600))
      try await first.write(
        Request(id: 2, operation: .claim(claim)), Request(id: 3, operation: .claim(claim)))
      try await until(client.stats) { $0.waitingClaims == 2 }
      let metadata = #"{"x":"\#(String(repeating: "x", count: 380_000))"}"#
      let large = NewJob(type: "t", metadata: metadata)
      _ = try await client.create([NewJob(type: "t"), large])
      guard case .claimed(let jobs)? = try await first.read()?.reply, let job = jobs.first else {
        Issue.record("nothing claimed")
        return
      }
      func isHeard(_ request: UInt64) async throws -> Bool {
        let reply = try await second.ask(request, .update(job.id, attempt: job.attempt, JobUpdate()))
        if case .job = reply { return true } else { return false }
      }
      if isHeardBefore { #expect(try await isHeard(2)) }
      first.cut()
      try await until({ try await client.get(large.id) }) { $0?.history.first?.cause == .released }
      // Who was not heard of before has the grace, which a busy machine may exceed; it was not given back in any case.
      #expect(try await client.get(job.id)?.history.contains { $0.cause == .released } == false)
      if isHeardBefore { #expect(try await isHeard(3)) }
    }
  }

  @Test func aHolderThatComesBackWithinTheGraceKeepsItsJob() async throws {
    try await withBroker { broker in
      let client = try await broker.client()
      let clock = ContinuousClock()
      // A machine that is too busy to come back within the grace of 5 s tries again.
      for _ in 0..<20 {
        let (first, second) = (try RawConnection(to: broker.socket), try RawConnection(to: broker.socket))
        try await first.greet()
        try await second.greet()
        let id = try await client.create(NewJob(type: "t")).job.id
        let claim = ClaimRequest(types: ["t"], lease: .seconds(3600))
        guard case .claimed(let jobs) = try await first.ask(2, .claim(claim)) else { break }
        let cut = clock.now
        first.cut()
        try await until(client.workers) { $0.workers.allSatisfy(\.holds.isEmpty) }
        let heartbeat = try await second.ask(2, .update(id, attempt: jobs[0].attempt, JobUpdate()))
        let away = clock.now - cut
        if case .job(let job) = heartbeat {
          #expect(job.status == .processing)
          let left = try #require(job.leaseExpiresAt) - Timestamp.now
          #expect(left > .seconds(3000), "the lease is not whole again")
          return
        }
        try #require(away >= .seconds(5), "the heartbeat was refused after \(away): \(heartbeat)")
        _ = try await client.cancel(id)
      }
      Issue.record("it never came back in time")
    }
  }

  @Test func aHolderThatDoesNotComeBackLosesItsJobAfterTheGrace() async throws {
    try await withBroker { broker in
      let gone = try RawConnection(to: broker.socket)
      try await gone.greet()
      let client = try await broker.client()
      let id = try await client.create(NewJob(type: "t")).job.id
      guard case .claimed = try await gone.ask(2, .claim(ClaimRequest(lease: .seconds(3600)))) else { return }
      gone.cut()
      let job = try #require(try await client.claim(ClaimRequest(wait: .seconds(60))).first)
      #expect(job.id == id && job.attempt == 2 && job.lostCount == 1)
    }
  }

  @Test func aJobThatKillsItsWorkersEndsFailed() async throws {
    try await withBroker { broker in
      let client = try await broker.client(name: "victim")
      let id = try await client.create(NewJob(type: "poison", maxLost: 1)).job.id
      let watch = try await client.watch(WatchSelection(ids: [id]))
      _ = try await client.claim(ClaimRequest(lease: .milliseconds(10)))
      _ = try await client.claim(ClaimRequest(wait: .seconds(60), lease: .milliseconds(10)))
      for try await event in watch {
        guard case .changed(let job) = event, job.status.isFinished else { continue }
        #expect(job.status == .failed && job.lostCount == 2)
        let error = try #require(job.error)
        #expect(error.contains("victim"))
        break
      }
    }
  }

  @Test func aBlockedClaimIsAnsweredByTheCreateOfItsTypeInTheOrderOfArrival() async throws {
    try await withBroker { broker in
      let producer = try await broker.client()
      let first = try RawConnection(to: broker.socket)
      let second = try RawConnection(to: broker.socket)
      for (number, raw) in [first, second].enumerated() {
        try await raw.greet()
        try await raw.write(
          Request(id: 2, operation: .claim(ClaimRequest(types: ["t"], wait: .seconds(600)))))
        try await until(producer.stats) { $0.waitingClaims > number }
      }
      _ = try await producer.create(NewJob(type: "other"))
      let jobs = [NewJob(type: "t"), NewJob(type: "t")]
      for (raw, job) in zip([first, second], jobs) {
        _ = try await producer.create(job)
        guard case .claimed(let claimed) = try await raw.read()?.reply else {
          Issue.record("no claim")
          return
        }
        #expect(claimed.map(\.id) == [job.id])
      }
    }
  }

  @Test func aClaimWhoseTimeIsUpIsAnsweredWithNothing() async throws {
    try await withBroker { broker in
      let client = try await broker.client()
      let jobs = try await client.claim(ClaimRequest(wait: .milliseconds(5)))
      #expect(jobs.isEmpty)
    }
  }

  @Test func aWithdrawnClaimIsAnsweredWithNothingAndTakesNoJob() async throws {
    try await withBroker { broker in
      let raw = try RawConnection(to: broker.socket)
      try await raw.greet()
      try await raw.write(
        Request(id: 2, operation: .claim(ClaimRequest(wait: .seconds(3600)))),
        Request(id: 3, operation: .withdraw(id: 2)))
      // In either order: the claim may still have been at the store.
      var answers: [UInt64: Reply] = [:]
      while answers.count < 2, let response = try await raw.read() { answers[response.id] = response.reply }
      #expect(answers == [2: .claimed([]), 3: .done])
      let client = try await broker.client()
      let id = try await client.create(NewJob(type: "t")).job.id
      #expect(try await client.claim().map(\.id) == [id])
    }
  }

  @Test func theClaimOfACancelledTaskWaitsNoLonger() async throws {
    try await withBroker { broker in
      let client = try await broker.client()
      let claim = Task { try await client.claim(ClaimRequest(wait: .seconds(3600))) }
      try await until(client.stats) { $0.waitingClaims == 1 }
      claim.cancel()
      try await until(client.stats) { $0.waitingClaims == 0 }
      await expect(.unavailable) { _ = try await claim.value }
    }
  }

  @Test func aJobIsNotClaimedBeforeItsMoment() async throws {
    try await withBroker { broker in
      let client = try await broker.client()
      let moment = Timestamp.now + .milliseconds(300)
      let id = try await client.create(NewJob(type: "t", notBefore: moment)).job.id
      #expect(try await client.position(id).overall == 0)
      let job = try #require(try await client.claim(ClaimRequest(wait: .seconds(60))).first)
      #expect(job.id == id && Timestamp.now >= moment)
    }
  }
}
