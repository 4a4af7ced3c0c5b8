import JobModel
import JobStore

extension ContractCheck {
  static let sweeping: [ContractCheck] = [
    ContractCheck("reap: fails silent jobs of the type, and spares those it is told to") { store in
      let silent = try await store.held()
      let spared = try await store.held()
      let other = try await store.held("save")
      store.clock.advance(.seconds(60))
      let reap = JobCommand.reap(
        before: store.clock.now - .seconds(30), type: "ingest", sparing: [spared.id], limit: 100)
      guard case .reaped(let jobs) = try await store.store.commit(reap) else {
        throw store.violation("not reaped")
      }
      try store.equal(jobs.map(\.id), [silent.id], "reaped")
      try store.equal(jobs.map(\.status), [.failed], "status")
      try store.equal(jobs.map(\.finishedAt), [store.clock.now], "finished at")
      for job in [spared, other] {
        try store.equal(try await store.get(job.id).status, .processing, "spared")
      }
      try store.equal(try await store.get(silent.id).history.map(\.cause), [.failed], "history")
      let error = try await store.error(.staleClaim) { try await store.store.complete(silent.id, attempt: 1) }
      try store.equal(error.job?.status, .failed, "what the late worker sees")
    },
    ContractCheck("reap: a job heard from at the cutoff is alive") { store in
      let held = try await store.held()
      store.clock.advance(.seconds(60))
      _ = try await store.change(.update(held.id, attempt: 1, JobUpdate()))
      let reap = JobCommand.reap(before: store.clock.now, type: nil, sparing: [], limit: 100)
      try store.equal(try await store.store.commit(reap), .reaped([]), "reaped")
    },
    ContractCheck("reap: fails no more than the limit, the oldest first, not counting the spared") { store in
      var held: [Job] = []
      for _ in 0..<5 { held.append(try await store.held()) }
      store.clock.advance(.seconds(60))
      func reap() async throws -> [JobID] {
        let reap = JobCommand.reap(
          before: store.clock.now, type: nil, sparing: [held[0].id, held[2].id], limit: 2)
        guard case .reaped(let jobs) = try await store.store.commit(reap) else {
          throw store.violation("not reaped")
        }
        return jobs.map(\.id)
      }
      try store.equal(try await reap(), [held[1].id, held[3].id], "a first part")
      try store.equal(try await store.get(held[4].id).status, .processing, "beyond the limit")
      try store.equal(try await reap(), [held[4].id], "the rest")
      try store.equal(try await reap(), [], "nothing is left")
    },
    ContractCheck("reap: ends early when results are many, and goes on when it is asked again") { store in
      let result = #"{"x":"\#(String(repeating: "x", count: Limits.payload - 100))"}"#
      var held: [JobID] = []
      for _ in 0..<14 {
        let job = try await store.held()
        _ = try await store.change(.update(job.id, attempt: 1, JobUpdate(result: result)))
        held.append(job.id)
      }
      store.clock.advance(.seconds(60))
      let reap = JobCommand.reap(before: store.clock.now, type: nil, sparing: [], limit: 500)
      guard case .reaped(let jobs) = try await store.store.commit(reap) else {
        throw store.violation("not reaped")
      }
      try store.equal(jobs.map(\.id), Array(held.prefix(6)), "the first part")
      try store.expect(jobs.allSatisfy { $0.result == result }, "results are kept")
      try store.expect(ReapBound.isReached(by: jobs, limit: 500), "there may be more")
      let rest = try await store.store.markStaleJobsFailed(timeout: .seconds(30), now: store.clock.now)
      try store.equal(rest, 8, "the rest")
    },
    ContractCheck("prune: deletes jobs whose results together are larger than any answer") { store in
      let result = #"{"x":"\#(String(repeating: "x", count: Limits.payload - 100))"}"#
      for _ in 0..<32 {
        let job = try await store.create()
        try await store.store.complete(job.id, result: result)
      }
      store.clock.advance(.seconds(10))
      let command = JobCommand.prune(before: store.clock.now, status: nil, type: nil, limit: 100)
      guard case .pruned(let jobs) = try await store.store.commit(command) else {
        throw store.violation("not pruned")
      }
      try store.equal(jobs.count, 32, "pruned")
    },
    ContractCheck("prune: deletes old finished jobs, the oldest of a status first") { store in
      var ids: [JobID] = []
      for number in 0..<4 {
        let job = try await store.create(number == 3 ? "save" : "ingest")
        if number == 1 {
          try await store.store.fail(job.id, error: "e")
        } else {
          try await store.store.complete(job.id)
        }
        ids.append(job.id)
        store.clock.advance(.seconds(10))
      }
      _ = try await store.held()
      func prune(_ age: Duration, _ status: JobStatus?, _ type: String?, limit: Int = 100) async throws
        -> [JobID]
      {
        let command = JobCommand.prune(
          before: store.clock.now - age, status: status, type: type, limit: limit)
        guard case .pruned(let jobs) = try await store.store.commit(command) else {
          throw store.violation("not pruned")
        }
        return jobs.map(\.id)
      }
      try store.equal(try await prune(.seconds(60), nil, nil), [], "younger than that")
      try store.equal(try await prune(.seconds(1), .failed, nil), [ids[1]], "failed")
      try store.equal(try await prune(.seconds(1), nil, "save"), [ids[3]], "of a type")
      try store.equal(try await prune(.seconds(1), nil, nil, limit: 1), [ids[0]], "the oldest")
      try store.equal(try await prune(.seconds(15), nil, nil), [ids[2]], "the rest")
      try store.equal(try await store.store.get(ids[0]), nil, "a pruned job")
      let counts = try await store.stats()?.counts ?? [:]
      try store.equal([counts[.complete], counts[.failed], counts[.processing]], [0, 0, 1], "counters")
    },
  ]

  static let batches: [ContractCheck] = [
    ContractCheck("batch: commands run in order, each seeing what the one before did") { store in
      let new = NewJob(type: "ingest")
      let results = try await store.store.commit([
        .create([new]), .claim(types: [], maxJobs: 1, lease: .seconds(30), worker: ContractSubject.worker),
        .complete(new.id, attempt: 1, result: nil), .cancel(new.id),
      ])
      guard results.count == 4, case .success(.claimed(let claimed)) = results[1],
        case .success(.job(let done, true)) = results[2], case .success(.job(_, false)) = results[3]
      else { throw store.violation("unexpected results \(results)") }
      try store.equal(claimed.map(\.id), [new.id], "claimed")
      try store.equal(done.status, .complete, "status")
    },
    ContractCheck("batch: an ordinary error fails its command alone") { store in
      let job = try await store.create()
      let good = NewJob(type: "save")
      let results = try await store.store.commit([
        .complete(.timeOrdered(), attempt: nil, result: nil), .create([NewJob(type: "save", metadata: "no")]),
        .create([good]), .complete(job.id, attempt: 7, result: nil),
        .complete(job.id, attempt: nil, result: "[]"),
        .complete(job.id, attempt: nil, result: "{}"),
      ])
      let codes = results.map { result -> JobError.Code? in
        if case .failure(let error) = result { error.code } else { nil }
      }
      try store.equal(
        codes, [.notFound, .invalidArgument, nil, .staleClaim, .invalidArgument, nil], "errors")
      try store.equal(try await store.get(good.id).status, .pending, "the good create")
      try store.equal(try await store.get(job.id).status, .complete, "the good complete")
    },
    ContractCheck("batch: none is fine") { store in
      try store.equal(try await store.store.commit([]).count, 0, "results")
    },
    ContractCheck("batch: hundreds of commands in one") { store in
      let jobs = (0..<300).map { _ in NewJob(type: "ingest") }
      let creates = jobs.map { JobCommand.create([$0]) }
      let claims = jobs.map { _ in
        JobCommand.claim(types: ["ingest"], maxJobs: 1, lease: .seconds(30), worker: ContractSubject.worker)
      }
      let completes = jobs.map { JobCommand.complete($0.id, attempt: 1, result: nil) }
      let results = try await store.store.commit(creates + claims + completes)
      try store.equal(results.count, 900, "results")
      for result in results { _ = try result.get() }
      try store.equal(try await store.stats()?.counts[.complete], 300, "complete")
    },
    ContractCheck("batch: sync may run while another batch does") { store in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<50 {
          group.addTask {
            _ = try await store.store.execute([.create([NewJob(type: "ingest")])])
            try await store.store.sync()
          }
        }
        try await group.waitForAll()
      }
      try store.equal(try await store.stats()?.counts[.pending], 50, "pending")
    },
  ]
}
