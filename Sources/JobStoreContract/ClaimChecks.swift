import JobModel
import JobStore

extension ContractCheck {
  static let claiming: [ContractCheck] = [
    ContractCheck("claim: says who holds the job, since when, and until when") { store in
      let job = try await store.create(metadata: #"{"a":1}"#)
      store.clock.advance(.seconds(1))
      let claimed = try await store.claim(lease: .seconds(7))
      var wanted = job
      wanted.metadata = #"{"a":1}"#
      wanted.status = .processing
      wanted.attempt = 1
      wanted.worker = ContractSubject.worker
      wanted.startedAt = store.clock.now
      wanted.updatedAt = store.clock.now
      wanted.leaseExpiresAt = store.clock.now + .seconds(7)
      try store.equal(claimed, [wanted], "the reply")
      try store.equal(try await store.get(job.id), wanted, "the job")
    },
    ContractCheck("claim: takes higher priorities first, then older jobs") { store in
      var jobs: [(priority: Int32, id: JobID)] = []
      for priority in [0, 5, -1, 5, 0, .max, .min] as [Int32] {
        let type = jobs.count % 2 == 0 ? "ingest" : "save"
        jobs.append((priority, try await store.create(type, priority: priority).id))
      }
      let wanted = [5, 1, 3, 0, 4, 2, 6].map { jobs[$0].id }
      try store.equal(try await store.claim(maxJobs: 4).map(\.id), Array(wanted[..<4]), "the first four")
      try store.equal(try await store.claim(maxJobs: 10).map(\.id), Array(wanted[4...]), "the others")
    },
    ContractCheck("claim: takes only the types asked for") { store in
      let types = ["a", "b", "c", "a", "b", "c"]
      var ids: [JobID] = []
      for type in types { ids.append(try await store.create(type).id) }
      let claimed = try await store.claim(["a", "c", "none", "a"], maxJobs: 10)
      try store.equal(claimed.map(\.id), [ids[0], ids[2], ids[3], ids[5]], "a and c")
      let many = (0..<100).map { "t\($0)" } + ["b"]
      try store.equal(try await store.claim(many, maxJobs: 10).map(\.id), [ids[1], ids[4]], "b among many")
    },
    ContractCheck("claim: jobs created together are claimed in their order") { store in
      let ids = (0..<10).map { _ in JobID(high: .random(in: 0...(.max)), low: .random(in: 0...(.max))) }
      _ = try await store.store.commit(.create(ids.map { NewJob(id: $0, type: "ingest") }))
      try store.equal(try await store.claim(maxJobs: 10).map(\.id), ids, "the order")
    },
    ContractCheck("claim: a reply holds no more than a frame can") { store in
      let metadata = #"{"a":""# + String(repeating: "x", count: 300_000) + #""}"#
      for _ in 0..<4 { _ = try await store.create(metadata: metadata) }
      try store.equal(try await store.claim(maxJobs: 4).count, 1, "jobs of one reply")
      try store.equal(try await store.stats()?.counts[.pending], 3, "jobs left")
    },
    ContractCheck("claim: jobs with large results come a few at a time") { store in
      let result = #"{"x":"\#(String(repeating: "x", count: Limits.payload - 100))"}"#
      var ids: [JobID] = []
      for _ in 0..<32 {
        let job = try await store.create()
        _ = try await store.change(.update(job.id, attempt: nil, JobUpdate(result: result)))
        ids.append(job.id)
      }
      var claimed: [JobID] = []
      while case let jobs = try await store.claim(maxJobs: 100), !jobs.isEmpty {
        try store.expect(jobs.count < 8, "not too many at once: \(jobs.count)")
        claimed += jobs.map(\.id)
      }
      try store.equal(claimed, ids, "all of them, in order")
    },
    ContractCheck("claim: the errors of earlier attempts count, too") { store in
      let error = String(repeating: "x", count: Limits.error)
      let ids = (0..<50).map { _ in JobID(high: .random(in: 0...(.max)), low: .random(in: 0...(.max))) }
      _ = try await store.store.commit(.create(ids.map { NewJob(id: $0, type: "ingest", maxRetries: 9) }))
      for id in ids { try await store.store.fail(id, error: error, retryable: true) }
      store.clock.advance(.seconds(86_400))
      _ = try await store.store.commit(.promote)
      let claimed = try await store.claim(maxJobs: 50)
      try store.equal(
        claimed.reduce(0) { $0 + ($1.error?.utf8.count ?? 0) } < Limits.frame, true, "they fit a frame")
      try store.equal(claimed.map(\.id), Array(ids.prefix(claimed.count)), "the first ones")
    },
    ContractCheck("claim: racing claims never share a job") { store in
      for _ in 0..<40 { _ = try await store.create() }
      let claimed = try await withThrowingTaskGroup(of: [JobID].self) { group in
        for _ in 0..<20 { group.addTask { try await store.claim(maxJobs: 3).map(\.id) } }
        return try await group.reduce(into: []) { $0 += $1 }
      }
      try store.equal(claimed.count, 40, "jobs claimed")
      try store.equal(Set(claimed).count, 40, "different jobs claimed")
    },
    ContractCheck("claim: a job that waits for a moment is claimed after it, in its old place") { store in
      let delayed = try await store.create(after: .seconds(10))
      let ready = try await store.create()
      try store.equal(delayed.notBefore, store.clock.now + .seconds(10), "not before")
      guard case .promoted(let none, let due) = try await store.store.commit(.promote) else {
        throw store.violation("not promoted")
      }
      try store.equal(none, [:], "promoted too early")
      try store.equal(due, delayed.notBefore, "next due")
      try store.equal(try await store.claim().map(\.id), [ready.id], "the first claim")
      try store.equal(try await store.claim(), [], "the claim before the moment")
      store.clock.advance(.seconds(10))
      _ = try await store.create()
      guard case .promoted(let ready, let next) = try await store.store.commit(.promote) else {
        throw store.violation("not promoted")
      }
      try store.equal(ready, ["ingest": 1], "promoted")
      try store.equal(next, nil, "next due")
      let claimed = try await store.claimOne()
      try store.equal(claimed.id, delayed.id, "the claim after the moment")
      try store.equal(claimed.notBefore, nil, "not before, when it has come")
    },
    ContractCheck("claim: of a great many jobs whose moment has come, a part is let go at a time") { store in
      let count = 1200
      let due = store.clock.now + .seconds(10)
      let jobs = (0..<count).map { _ in NewJob(type: "ingest", notBefore: due) }
      _ = try await store.store.execute(jobs.map { .create([$0]) })
      store.clock.advance(.seconds(10))
      guard case .promoted(let first, let next) = try await store.store.commit(.promote) else {
        throw store.violation("not promoted")
      }
      guard let part = first["ingest"], part < count else { throw store.violation("all were let go at once") }
      try store.equal(next, due, "next due")
      guard case .promoted(let rest, let none) = try await store.store.commit(.promote) else {
        throw store.violation("not promoted")
      }
      try store.equal(rest, ["ingest": count - part], "the rest")
      try store.equal(none, nil, "next due, when all are let go")
    },
    ContractCheck("claim: a moment that has passed is none") { store in
      let job = try await store.create(after: .seconds(-1))
      try store.equal(job.notBefore, nil, "not before")
      try store.equal(try await store.claim().map(\.id), [job.id], "the claim")
    },
    ContractCheck("claim: of any type, finds a job however it became ready again") { store in
      let ways: [(String, (Job) -> JobCommand)] = [
        ("released", { .release($0.id, attempt: 1, delay: .zero, reason: nil) }),
        ("lost", { .lose($0.claim) }),
        ("put back", { .update($0.id, attempt: nil, JobUpdate(status: .pending)) }),
        ("failed", { .fail($0.id, attempt: 1, error: "e", retryable: true) }),
        ("retried", { .retry($0.id) }),
      ]
      for (way, command) in ways {
        // Of a type of its own, so that nothing else says that there is one.
        let job = try await store.held(way)
        if way == "retried" { _ = try await store.change(.cancel(job.id)) }
        try store.equal(try await store.claim(), [], "what there is before a job is \(way)")
        _ = try await store.change(command(job))
        if way == "failed" {
          try store.equal(try await store.claim(), [], "what there is before its moment")
          store.clock.advance(.seconds(3600))
          _ = try await store.store.commit(.promote)
        }
        let again = try await store.claimOne()
        try store.equal(again.id, job.id, "the job that was \(way)")
        _ = try await store.change(.complete(job.id, attempt: again.attempt, result: nil))
      }
    },
    ContractCheck("claim: a paused type is passed over until it is resumed") { store in
      let paused = try await store.create("ingest")
      let other = try await store.create("save")
      _ = try await store.store.commit(.pause(type: "ingest"))
      _ = try await store.store.commit(.pause(type: "ingest"))
      try store.equal(try await store.claim(maxJobs: 2).map(\.id), [other.id], "a claim of any type")
      try store.equal(try await store.claim(["ingest"]), [], "a claim of the paused type")
      try store.equal(try await store.stats()?.isPaused, true, "paused by the counters")
      try store.equal(try await store.store.recover().pausedTypes, ["ingest"], "paused types")
      _ = try await store.store.commit(.resume(type: "ingest"))
      try store.equal(try await store.claim().map(\.id), [paused.id], "a claim after the resume")
      try store.equal(try await store.stats()?.isPaused, false, "paused by the counters, after the resume")
    },
  ]
}
