import JobModel
import JobStore
import LibSQLJobStore
import LibSQLTestSupport
import Synchronization
import Testing

/// Several stores on one database.
@Suite struct SharingTests {
  @Test func `what one does the other is told, once, and not what it did itself`() async throws {
    try await withServer { server in
      let (one, other) = (try await open(server.url), try await open(server.url))
      #expect(try await other.changes().jobs == [])
      let jobs = [
        try await one.create(NewJob(type: "ingest")), try await one.create(NewJob(type: "save")),
        try await one.create(NewJob(type: "save")),
      ]
      let mine = try await other.create(NewJob(type: "mine"))
      try await one.cancel(jobs[1].id)
      try await one.commit(.delete(jobs[2].id))
      try await one.commit(.pause(type: "ingest"))
      let changes = try await other.changes()
      #expect(changes.jobs.map(\.id) == [jobs[0].id, jobs[1].id])
      #expect(changes.jobs.map(\.status) == [.pending, .cancelled])
      #expect(changes.deleted == [.init(id: jobs[2].id, type: "save")])
      #expect(changes.pausedTypes == ["ingest"])
      #expect(changes.isComplete && !changes.hasMore)
      #expect(try await other.changes().jobs == [])
      #expect(try await one.changes().jobs.map(\.id) == [mine.id])
    }
  }

  @Test func `every way to change a job is told`() async throws {
    try await withServer { server in
      let (one, other) = (try await open(server.url), try await open(server.url))
      let job = try await one.create(NewJob(type: "ingest", maxRetries: 9))
      func told(_ status: JobStatus?, _ command: JobCommand, line: Int = #line) async throws {
        _ = try await other.changes()
        _ = try await one.commit(command)
        let changes = try await other.changes()
        #expect(changes.jobs.map(\.status) == (status.map { [$0] } ?? []), "line \(line)")
        #expect(changes.deleted.map(\.id) == (status == nil ? [job.id] : []), "line \(line)")
      }
      let claim = JobCommand.claim(types: ["ingest"], maxJobs: 1, lease: .seconds(9), worker: worker)
      try await told(.processing, claim)
      let lease = Timestamp.now + .seconds(9)
      let report = HolderReport(
        claim: ClaimToken(id: job.id, attempt: 1), update: JobUpdate(progress: 5), leaseExpiresAt: lease,
        heardAt: .now)
      try await told(.processing, .report([report]))
      try await told(.processing, .update(job.id, attempt: 1, JobUpdate(stage: .set("s"))))
      try await told(.pending, .release(job.id, attempt: 1, delay: .zero, reason: nil))
      try await told(.processing, .claim(types: [], maxJobs: 5, lease: .seconds(9), worker: worker))
      try await told(.pending, .lose(ClaimToken(id: job.id, attempt: 2)))
      try await told(.processing, claim)
      try await told(.failed, .reap(before: .now + .seconds(9), type: nil, sparing: [], limit: 100))
      try await told(.pending, .retry(job.id))
      try await told(.complete, .complete(job.id, attempt: nil, result: nil))
      try await told(nil, .prune(before: .now + .seconds(9), status: nil, type: nil, limit: 9))
    }
  }

  @Test func `of more changes than are kept it is told what came of them`() async throws {
    try await withServer { server in
      let (one, other) = (try await open(server.url), try await open(server.url))
      let job = try await one.create(NewJob(type: "ingest"))
      #expect(try await other.changes().isComplete)
      let held = try await one.create(NewJob(type: "held"))
      _ = try await one.claim(types: ["held"])
      let delayed = try await one.create(NewJob(type: "delayed", notBefore: .now + .seconds(600)))
      // As if 50,000 changes had come since: the number of the next one is far ahead.
      try await server.run(["UPDATE sqlite_sequence SET seq = seq + 60000 WHERE name = 'job_changes'"])
      for _ in 0..<64 { try await one.update(job.id, JobUpdate(progress: 1)) }
      let changes = try await other.changes()
      let recovery = try #require(changes.recovery)
      #expect(recovery.held.map(\.job.claim) == [ClaimToken(id: held.id, attempt: 1)])
      #expect(recovery.nextDue == delayed.notBefore)
      #expect(changes.jobs.map(\.id) == [job.id])
      #expect(try await other.changes().isComplete)
    }
  }

  @Test func `each job is claimed once, and a fence holds in every store`() async throws {
    try await withServer { server in
      let stores = try await withThrowingTaskGroup(of: LibSQLJobStore.self) { group in
        for _ in 0..<4 { group.addTask { try await open(server.url) } }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      let jobs = (0..<400).map { _ in NewJob(type: "ingest") }
      for start in stride(from: 0, to: 400, by: 100) {
        _ = try await stores[start / 100].commit(.create(Array(jobs[start..<start + 100])))
      }
      let claimed = try await withThrowingTaskGroup(of: [Job].self) { group in
        for number in 0..<16 {
          group.addTask {
            var mine: [Job] = []
            while let job = try await stores[number % 4].claim(types: ["ingest"]).first {
              mine.append(job)
              if mine.count % 2 == 0 { try await stores[(number + 1) % 4].complete(job.id, attempt: 1) }
            }
            return mine
          }
        }
        return try await group.reduce(into: []) { $0 += $1 }
      }
      #expect(claimed.count == 400)
      #expect(Set(claimed.map(\.id)) == Set(jobs.map(\.id)))
      #expect(claimed.allSatisfy { $0.attempt == 1 })
      let held = try #require(try await stores[0].recover().held.first?.job)
      _ = try await stores[1].commit(.lose(held.claim))
      let again = try #require(try await stores[2].claim().first)
      #expect(again.claim == ClaimToken(id: held.id, attempt: 2))
      await error(.staleClaim) { try await stores[0].complete(held.id, attempt: 1) }
    }
  }
}
