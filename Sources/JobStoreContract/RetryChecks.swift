import JobModel
import JobStore

extension ContractCheck {
  static let retrying: [ContractCheck] = [
    ContractCheck("fail: a retryable one goes back to the queue while retries are left") { store in
      let held = try await store.held(maxRetries: 2)
      try await store.store.update(held.id, attempt: 1, JobUpdate(progress: 50, stage: .set("s")))
      for retry in 1...2 {
        let attempt = try await store.get(held.id).attempt
        let (job, changed) = try await store.change(
          .fail(held.id, attempt: attempt, error: "e\(retry)", retryable: true))
        try store.equal(changed, true, "changed")
        try store.equal(job.status, .pending, "status")
        try store.equal(job.retryCount, retry, "retry count")
        try store.equal(job.error, "e\(retry)", "error")
        try store.equal(job.progress, 0, "progress")
        try store.equal(job.stage, nil, "stage")
        try store.equal(job.finishedAt, nil, "finished at")
        let longest = Duration.seconds(1 << (retry - 1))
        let wait = (job.notBefore ?? store.clock.now) - store.clock.now
        try store.expect(
          wait >= longest / 2 && wait <= longest, "it waits \(longest / 2) to \(longest), not \(wait)")
        try store.equal(try await store.claim(), [], "a claim before the wait is over")
        store.clock.advance(longest)
        _ = try await store.store.commit(.promote)
        try store.equal(try await store.claimOne().attempt, retry + 1, "attempt")
      }
      let (job, _) = try await store.change(.fail(held.id, attempt: 3, error: "e3", retryable: true))
      try store.equal(job.status, .failed, "status, with no retry left")
      try store.equal(job.retryCount, 2, "retry count, with no retry left")
      let history = try await store.get(held.id).history
      try store.equal(history.map(\.error), ["e1", "e2", "e3"], "errors of the history")
      try store.equal(history.map(\.attempt), [1, 2, 3], "attempts of the history")
    },
    ContractCheck("fail: the wait for a retry has a bound") { store in
      let held = try await store.held(maxRetries: 1000)
      try await store.store.update(held.id, attempt: 1, JobUpdate(retryCount: 500))
      let (job, _) = try await store.change(.fail(held.id, attempt: 1, error: "e", retryable: true))
      let wait = (job.notBefore ?? store.clock.now) - store.clock.now
      try store.expect(
        wait >= .seconds(150) && wait <= .seconds(300), "it waits at most 5 minutes, not \(wait)")
    },
    ContractCheck("complete: clears the error of an earlier attempt") { store in
      let held = try await store.held()
      _ = try await store.change(.fail(held.id, attempt: 1, error: "e", retryable: true))
      store.clock.advance(.seconds(2))
      _ = try await store.store.commit(.promote)
      _ = try await store.claimOne()
      try await store.store.complete(held.id, attempt: 2)
      try store.equal(try await store.get(held.id).error, nil, "error")
    },
    ContractCheck("release: gives the job back unharmed, to its old place") { store in
      let held = try await store.held()
      let later = try await store.create()
      try await store.store.update(held.id, attempt: 1, JobUpdate(progress: 50, stage: .set("s")))
      let (job, _) = try await store.change(
        .release(held.id, attempt: 1, delay: .zero, reason: "shutting down"))
      try store.equal(job.status, .pending, "status")
      try store.equal([job.retryCount, job.lostCount, job.attempt], [0, 0, 1], "counts")
      try store.equal(job.progress, 0, "progress")
      try store.equal(job.stage, nil, "stage")
      try store.equal(try await store.store.position(held.id).overall, 0, "position")
      let history = try await store.get(held.id).history
      try store.equal(history.map(\.cause), [.released], "history")
      try store.equal(history.map(\.error), ["shutting down"], "reason in the history")
      try store.equal(try await store.claim(maxJobs: 2).map(\.id), [held.id, later.id], "order of claims")
    },
    ContractCheck("release: may ask for a delay") { store in
      let held = try await store.held()
      let (job, _) = try await store.change(.release(held.id, attempt: nil, delay: .seconds(5), reason: nil))
      try store.equal(job.notBefore, store.clock.now + .seconds(5), "not before")
      try store.equal(try await store.claim(), [], "a claim")
    },
    ContractCheck("retry: renews a failed or cancelled job") { store in
      let failed = try await store.held()
      try await store.store.update(failed.id, attempt: 1, JobUpdate(progress: 9, result: "{}", retryCount: 1))
      try await store.store.fail(failed.id, error: "e", retryable: true)
      let (job, changed) = try await store.change(.retry(failed.id))
      try store.equal(changed, true, "changed")
      try store.equal(job.status, .pending, "status")
      try store.equal([job.retryCount, job.lostCount], [0, 0], "budgets")
      try store.equal([job.error, job.result, job.stage], [nil, nil, nil], "error, result, stage")
      try store.equal(job.progress, 0, "progress")
      try store.equal(job.finishedAt, nil, "finished at")
      try store.equal(try await store.claimOne().attempt, 2, "attempt")
      try await store.store.cancel(failed.id)
      try store.equal(try await store.change(.retry(failed.id)).job.status, .pending, "status after a cancel")
      let counts = try await store.stats()?.counts ?? [:]
      try store.equal([counts[.pending], counts[.failed], counts[.cancelled]], [1, 0, 0], "counters")
    },
    ContractCheck("retry: is for failed and cancelled jobs alone") { store in
      let job = try await store.create()
      try await store.error(.invalidArgument) { try await store.store.commit(.retry(job.id)) }
      _ = try await store.claimOne()
      try await store.error(.invalidArgument) { try await store.store.commit(.retry(job.id)) }
      try await store.store.complete(job.id)
      let error = try await store.error(.invalidArgument) { try await store.store.commit(.retry(job.id)) }
      try store.equal(error.job?.status, .complete, "the job in the error")
    },
    ContractCheck("retry: waits for nobody who has the unique key by now") { store in
      let failed = try await store.create(uniqueKey: "k")
      try await store.store.fail(failed.id, error: "e")
      let holder = try await store.create(uniqueKey: "k")
      let error = try await store.error(.alreadyExists) { try await store.store.commit(.retry(failed.id)) }
      try store.equal(error.job?.id, holder.id, "the job in the error")
      try store.equal(try await store.get(failed.id).status, .failed, "status")
    },
  ]

  static let losing: [ContractCheck] = [
    ContractCheck("lose: puts the job back until too many workers were lost") { store in
      let first = try await store.held(maxLost: 1)
      let (back, changed) = try await store.change(.lose(first.claim))
      try store.equal(changed, true, "changed")
      try store.equal(back.status, .pending, "status")
      try store.equal([back.lostCount, back.retryCount], [1, 0], "counts")
      try store.equal(back.leaseExpiresAt, nil, "lease")
      try store.equal(try await store.change(.lose(first.claim)).changed, false, "changed again")
      let second = try await store.claimOne(worker: ContractSubject.other)
      let (failed, _) = try await store.change(.lose(second.claim))
      try store.equal(failed.status, .failed, "status past the bound")
      try store.equal(failed.finishedAt, store.clock.now, "finished at")
      for name in ["worker-1", "4711", "worker-2", "4712"] {
        try store.expect(
          failed.error?.contains(name) == true, "the error names \(name): \(failed.error ?? "nil")")
      }
      let found = try await store.get(first.id)
      try store.equal(found.history.map(\.cause), [.lost, .lost], "history")
      try store.equal(found.history.map(\.worker?.name), ["worker-1", "worker-2"], "workers of the history")
    },
    ContractCheck("lose: with no loss allowed the first is the last") { store in
      _ = try await store.create(maxLost: 0)
      let held = try await store.claimOne(worker: WorkerIdentity(name: "", pid: 4711, uid: 1000))
      let (job, _) = try await store.change(.lose(held.claim))
      try store.equal(job.status, .failed, "status")
      try store.equal(job.error, "Its worker was lost once: unnamed (pid 4711)", "error")
    },
    ContractCheck("lose: names a claim that is over") { store in
      let held = try await store.held()
      try await store.store.complete(held.id, attempt: 1)
      let error = try await store.error(.staleClaim) { try await store.store.commit(.lose(held.claim)) }
      try store.equal(error.job?.status, .complete, "the job in the error")
    },
    ContractCheck("recover: tells the claims in force and the next moment") { store in
      let held = try await store.held()
      _ = try await store.held("save")
      try await store.store.complete(try await store.store.list(type: "save")[0].id)
      _ = try await store.create(after: .seconds(9))
      let due = try await store.create(after: .seconds(5)).notBefore
      let recovery = try await store.store.recover()
      try store.equal(recovery.held.map(\.job.id), [held.id], "jobs held")
      try store.equal(recovery.held.map(\.job.claim), [held.claim], "claims")
      try store.equal(recovery.held.map(\.lease), [.seconds(30)], "leases")
      try store.equal(recovery.nextDue, due, "next due")
    },
    ContractCheck("recover: tells all claims, however many and with results however large") { store in
      let jobs = (0..<1_200).map { _ in NewJob(type: "ingest") }
      for start in stride(from: 0, to: jobs.count, by: 400) {
        _ = try await store.store.commit(.create(Array(jobs[start..<start + 400])))
      }
      for _ in 0..<12 { _ = try await store.claim(maxJobs: 100) }
      let result = #"{"x":"\#(String(repeating: "x", count: Limits.payload - 100))"}"#
      for job in jobs.prefix(30) {
        _ = try await store.change(.update(job.id, attempt: 1, JobUpdate(result: result)))
      }
      let claims = try await store.store.recover().held.map(\.job.claim)
      let wanted = jobs.map { ClaimToken(id: $0.id, attempt: 1) }
      try store.expect(claims == wanted, "\(claims.count) claims, each once, in order of creation")
    },
  ]
}
