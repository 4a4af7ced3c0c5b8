import Foundation
import JobBrokerClient
import JobModel
import JobProtocol
import Testing
import TestSupport

/// Every operation of the protocol, asked of a real broker.
@Suite struct OperationTests {
  @Test func aJobIsCreatedClaimedReportedOnAndCompleted() async throws {
    try await withBroker { broker in
      let client = try await broker.client(name: "worker")
      let metadata = #"{"path":"/a/ü.wav","big":12345678901234567890,"nested":{"list":[1,2.50]}}"#
      let created = try await client.create(NewJob(type: "ingest", metadata: metadata))
      #expect(created.created && created.job.status == .pending)
      #expect(try await client.position(created.job.id) == QueuePosition(overall: 0, inType: 0))
      let job = try #require(try await client.claim(ClaimRequest(types: ["ingest"])).first)
      #expect(job.id == created.job.id && job.attempt == 1 && job.metadata == metadata)
      #expect(job.worker?.name == "worker" && job.worker?.pid == UInt32(getpid()))
      _ = try await client.update(job.id, JobUpdate(progress: 40, stage: .set("downloading")), attempt: 1)
      let seen = try #require(try await client.get(job.id))
      #expect(seen.progress == 40 && seen.stage == "downloading" && seen.metadata == metadata)
      _ = try await client.complete(job.id, result: #"{"n":98765432109876543210}"#, attempt: 1)
      let done = try #require(try await client.get(job.id))
      #expect(
        done.status == .complete && done.progress == 100 && done.result == #"{"n":98765432109876543210}"#)
      #expect(done.finishedAt != nil && done.history.isEmpty)
      #expect(try await client.position(job.id) == .none)
    }
  }

  @Test func aRepeatedCreateIsTheSameJobAndAnotherContentIsRefused() async throws {
    try await withBroker { broker in
      let client = try await broker.client()
      let job = NewJob(type: "t", metadata: #"{"a":1}"#)
      #expect(try await client.create(job).created)
      #expect(try await client.create(job).created == false)
      var other = job
      other.metadata = #"{"a":2}"#
      let error = await expect(.alreadyExists) { _ = try await client.create(other) }
      #expect(error?.job?.id == job.id)
    }
  }

  @Test func aBatchIsCreatedWholeOrNotAtAll() async throws {
    try await withBroker { broker in
      let client = try await broker.client()
      let bad = [NewJob(type: "t"), NewJob(type: "t", metadata: "[1]"), NewJob(type: "t")]
      await expect(.invalidArgument) { _ = try await client.create(bad) }
      #expect(try await client.list().jobs.isEmpty)
      let entries = try await client.create((1...50).map { NewJob(type: "t", metadata: #"{"n":\#($0)}"#) })
      #expect(entries.count == 50)
      let page = try await client.list(JobFilter(limit: 20))
      #expect(page.jobs.map(\.id) == entries.reversed().prefix(20).map(\.job.id))
      let next = try await client.list(JobFilter(limit: 20, cursor: page.nextCursor))
      #expect(next.jobs.first?.id == entries[29].job.id)
    }
  }

  @Test func aUniqueKeyHeldByAnUnfinishedJobReturnsThatJob() async throws {
    try await withBroker { broker in
      let client = try await broker.client()
      let first = try await client.create(NewJob(type: "t", uniqueKey: "k"))
      let second = try await client.create(NewJob(type: "t", uniqueKey: "k"))
      #expect(!second.created && second.job.id == first.job.id)
      _ = try await client.cancel(first.job.id)
      #expect(try await client.create(NewJob(type: "t", uniqueKey: "k")).created)
    }
  }

  @Test func claimsTakeHigherPrioritiesFirstThenTheOldest() async throws {
    try await withBroker { broker in
      let client = try await broker.client()
      let jobs = [(0, "a"), (5, "b"), (0, "c"), (5, "d")].map {
        NewJob(type: "t", metadata: #"{"name":"\#($0.1)"}"#, priority: $0.0)
      }
      _ = try await client.create(jobs)
      #expect(try await client.position(jobs[0].id).overall == 2)
      let claimed = try await client.claim(ClaimRequest(maxJobs: 4))
      #expect(claimed.map(\.id) == [1, 3, 0, 2].map { jobs[$0].id })
    }
  }

  @Test func aRetryableFailureGoesBackToTheQueueOnceAndKeepsItsHistory() async throws {
    try await withBroker { broker in
      let client = try await broker.client()
      let id = try await client.create(NewJob(type: "t")).job.id
      _ = try await client.claim()
      let again = try await client.fail(id, error: "no network", retryable: true, attempt: 1)
      #expect(again.status == .pending && again.retryCount == 1 && again.notBefore != nil)
      let retried = try #require(try await client.claim(ClaimRequest(wait: .seconds(60))).first)
      #expect(retried.id == id && retried.attempt == 2)
      let failed = try await client.fail(id, error: "still none", retryable: true, attempt: 2)
      #expect(failed.status == .failed && failed.error == "still none")
      let history = try #require(try await client.get(id)).history
      #expect(
        history.map(\.cause) == [.failed, .failed] && history.map(\.error) == ["no network", "still none"])
      let operators = try await client.retry(id)
      #expect(operators.status == .pending && operators.retryCount == 0 && operators.error == nil)
    }
  }

  @Test func aReleasedJobIsClaimedAgainUnharmed() async throws {
    try await withBroker { broker in
      let client = try await broker.client()
      let id = try await client.create(NewJob(type: "t")).job.id
      _ = try await client.claim()
      let released = try await client.release(id, attempt: 1)
      #expect(released.status == .pending && released.retryCount == 0)
      #expect(try await client.claim().first?.attempt == 2)
    }
  }

  @Test func deletedAndPrunedJobsAreGone() async throws {
    try await withBroker { broker in
      let client = try await broker.client()
      let entries = try await client.create((1...1200).map { _ in NewJob(type: "t") }.prefix(1000).map { $0 })
      let kept = try await client.create(NewJob(type: "kept")).job.id
      for entry in entries.prefix(3) { _ = try await client.delete(entry.job.id) }
      #expect(try await client.get(entries[0].job.id) == nil)
      for entry in entries.dropFirst(3) { _ = try await client.complete(entry.job.id) }
      #expect(try await client.prune(olderThan: .zero, status: .complete, type: nil) == 997)
      #expect(try await client.list().jobs.map(\.id) == [kept])
    }
  }

  @Test func aPausedTypeIsNotClaimedUntilItIsResumed() async throws {
    try await withBroker { broker in
      let client = try await broker.client()
      try await client.pause(type: "t")
      let id = try await client.create(NewJob(type: "t")).job.id
      #expect(try await client.claim().isEmpty)
      async let waiting = client.claim(ClaimRequest(types: ["t"], wait: .seconds(60)))
      try await until(client.stats) { $0.waitingClaims > 0 }
      #expect(try await client.stats().types.first?.isPaused == true)
      try await client.resume(type: "t")
      #expect(try await waiting.map(\.id) == [id])
    }
  }

  @Test func reapFailsWhatHasNotBeenHeardFrom() async throws {
    try await withBroker { broker in
      let client = try await broker.client()
      _ = try await client.create([NewJob(type: "t"), NewJob(type: "other")])
      let held = try await client.claim(ClaimRequest(maxJobs: 2))
      #expect(try await client.reap(timeout: .seconds(3600)) == 0)
      #expect(try await client.reap(timeout: .zero, type: "t") == 1)
      let reaped = try #require(try await client.get(held[0].id))
      #expect(reaped.status == .failed && reaped.error == "Timeout: job exceeded processing time limit")
      #expect(try await client.get(held[1].id)?.status == .processing)
    }
  }

  /// Without a disk to wait for, nothing else makes the broker look up between the parts.
  @Test func whoComesInTheMidstOfALongPruneIsServed() async throws {
    try await withBroker(["--durability", "relaxed"]) { broker in
      let client = try await broker.client()
      let count = 20_000
      for _ in 0..<(count / 100) {
        _ = try await client.create((0..<100).map { _ in NewJob(type: "t") })
        #expect(try await client.claim(ClaimRequest(maxJobs: 100, lease: .seconds(3600))).count == 100)
      }
      #expect(try await client.reap(timeout: .zero) == count)
      let (pruner, other) = (try RawConnection(to: broker.socket), try RawConnection(to: broker.socket))
      for raw in [pruner, other] { try await raw.greet() }
      try await pruner.write(Request(id: 2, operation: .prune(olderThan: .zero, status: nil, type: nil)))
      // One that was kept to its end would leave time for hardly any.
      let served = try await other.ping { pruner.hasInput }
      #expect(try await pruner.read()?.reply == .count(count))
      #expect(served >= 5, "in 40 parts")
    }
  }

  @Test func othersGetTheirTurnBetweenThePartsOfALongReap() async throws {
    try await withBroker { broker in
      let client = try await broker.client()
      let count = 1_100
      let silent = ClaimRequest(types: ["silent"], maxJobs: 100, lease: .seconds(3600))
      for _ in 0..<(count / 100) {
        _ = try await client.create((0..<100).map { _ in NewJob(type: "silent") })
        #expect(try await client.claim(silent).count == 100)
      }
      let new = NewJob(type: "next")
      let raw = try RawConnection(to: broker.socket)
      try await raw.greet()
      try await raw.write(
        Request(id: 2, operation: .reap(timeout: .zero, type: "silent")),
        Request(id: 3, operation: .create([new])),
        Request(id: 4, operation: .claim(ClaimRequest(types: ["next"]))))
      // Changes are answered in the order of their transactions: were the reap one, it would be before the create.
      var replies: [(id: UInt64, reply: Reply)] = []
      while replies.count < 3 {
        guard let response = try await raw.read() else { break }
        replies.append((response.id, response.reply))
      }
      #expect(replies.last?.id == 2 && replies.last?.reply == .count(count))
      guard case .claimed(let jobs)? = replies.first(where: { $0.id == 4 })?.reply else {
        Issue.record("the claim was not served: \(replies)")
        return
      }
      #expect(jobs.map(\.id) == [new.id])
      #expect(try await client.list(JobFilter(status: .processing)).jobs.map(\.id) == [new.id])
    }
  }

  @Test func statsAndWorkersSayWhatIsThere() async throws {
    try await withBroker { broker in
      let worker = try await broker.client(name: "w1")
      let client = try await broker.client(name: "operator")
      _ = try await client.create([NewJob(type: "a"), NewJob(type: "a"), NewJob(type: "b")])
      let held = try await worker.claim(ClaimRequest(types: ["a"]))
      _ = try await client.cancel(held[0].id)
      let job = try #require(try await worker.claim(ClaimRequest(types: ["b"])).first)
      let stats = try await client.stats()
      #expect(stats.types.map(\.type) == ["a", "b"])
      #expect(stats.types[0].counts[.pending] == 1 && stats.types[0].counts[.cancelled] == 1)
      #expect(stats.types[1].counts[.processing] == 1)
      #expect(stats.connections == 2 && stats.pid == UInt32(broker.process.pid))
      let workers = try await client.workers().workers
      let w1 = try #require(workers.first { $0.identity.name == "w1" })
      #expect(w1.holds.map(\.claim) == [job.claim] && w1.identity.uid == getuid())
    }
  }

  @Test func aBackupIsAWholeStoreAndDoesNotOverwrite() async throws {
    try await withBroker { broker in
      let client = try await broker.client()
      let id = try await client.create(NewJob(type: "t", metadata: #"{"keep":true}"#)).job.id
      let copy = broker.directory.file("copy.db")
      try await client.backup(to: copy)
      await expect(.alreadyExists) { try await client.backup(to: copy) }
      let restored = TemporaryDirectory()
      try FileManager.default.moveItem(atPath: copy, toPath: restored.file("jobs.db"))
      let other = try await BrokerProcess.start(in: restored)
      #expect(try await other.client().get(id)?.metadata == #"{"keep":true}"#)
      await other.process.stop()
    }
  }

  @Test func aReadOnlyConnectionIsRefusedEveryChange() async throws {
    try await withBroker { broker in
      let reader = try await broker.client(readOnly: true)
      await expect(.permissionDenied) { _ = try await reader.create(NewJob(type: "t")) }
      await expect(.permissionDenied) { _ = try await reader.claim() }
      #expect(try await reader.list().jobs.isEmpty)
    }
  }
}
