import JobModel
import JobStore

extension ContractCheck {
  static let updating: [ContractCheck] = [
    ContractCheck("update: changes only the fields it names") { store in
      let held = try await store.held()
      try await store.store.update(held.id, attempt: 1, JobUpdate(progress: 10, stage: .set("a"), result: #"{"r":1}"#))
      try await store.store.update(held.id, attempt: 1, JobUpdate(error: "hm", retryCount: 3))
      let job = try await store.get(held.id)
      try store.equal(job.progress, 10, "progress")
      try store.equal(job.stage, "a", "stage")
      try store.equal(job.result, #"{"r":1}"#, "result")
      try store.equal(job.error, "hm", "error")
      try store.equal(job.retryCount, 3, "retry count")
      try store.equal(job.status, .processing, "status")
      try await store.store.update(held.id, JobUpdate(stage: .clear))
      try store.equal(try await store.get(held.id).stage, nil, "stage, cleared")
    },
    ContractCheck("update: an empty one is a heartbeat") { store in
      let held = try await store.held()
      store.clock.advance(.seconds(20))
      let (job, changed) = try await store.change(.update(held.id, attempt: 1, JobUpdate()))
      try store.equal(changed, true, "changed")
      try store.equal(job.updatedAt, store.clock.now, "updated at")
      try store.equal(job.leaseExpiresAt, store.clock.now + .seconds(30), "lease")
    },
    ContractCheck("update: a progress out of range is refused and changes nothing") { store in
      let held = try await store.held()
      let before = try await store.get(held.id)
      for progress in [-0.1, 100.1, .nan, .infinity] {
        let update = JobUpdate(status: .failed, progress: progress)
        try await store.error(.invalidArgument) { try await store.store.update(held.id, update) }
      }
      try await store.error(.invalidArgument) {
        try await store.store.update(held.id, JobUpdate(status: .failed, retryCount: -1))
      }
      try await store.error(.invalidArgument) {
        try await store.store.update(held.id, JobUpdate(status: .failed, result: "[1]"))
      }
      try store.equal(try await store.get(held.id), before, "the job")
    },
    ContractCheck("update: starting a job counts as an attempt") { store in
      let held = try await store.held()
      _ = try await store.change(.release(held.id, attempt: 1, delay: .zero, reason: nil))
      let (job, _) = try await store.change(.update(held.id, attempt: nil, JobUpdate(status: .processing)))
      try store.equal(job.attempt, 2, "attempt")
      try store.equal(job.worker, nil, "worker")
      try store.equal(job.leaseExpiresAt, nil, "lease")
      try store.equal(job.startedAt, store.clock.now, "started at")
      try await store.error(.staleClaim) { try await store.store.complete(held.id, attempt: 1) }
      try store.equal(try await store.store.recover().held, [], "claims in force")
    },
    ContractCheck("update: back to pending ends the attempt and keeps the place") { store in
      let held = try await store.held()
      let later = try await store.create()
      try await store.store.update(held.id, attempt: 1, JobUpdate(progress: 5, stage: .set("s")))
      let back = JobUpdate(status: .pending, error: "again", retryCount: 1)
      let (job, _) = try await store.change(.update(held.id, attempt: 1, back))
      try store.equal(job.status, .pending, "status")
      try store.equal(job.progress, 0, "progress")
      try store.equal(job.stage, nil, "stage")
      try store.equal(job.leaseExpiresAt, nil, "lease")
      try store.equal(try await store.get(held.id).history.map(\.cause), [.released], "history")
      try store.equal(try await store.claim(maxJobs: 2).map(\.id), [held.id, later.id], "order of claims")
    },
    ContractCheck("update: to a finished status finishes the job") { store in
      for status in [JobStatus.complete, .failed, .cancelled] {
        let held = try await store.held()
        store.clock.advance(.seconds(1))
        try await store.store.update(held.id, attempt: 1, JobUpdate(status: status, error: "e"))
        let job = try await store.get(held.id)
        try store.equal(job.status, status, "status")
        try store.equal(job.finishedAt, store.clock.now, "finished at")
        try store.equal(job.leaseExpiresAt, nil, "lease")
        try store.equal(job.progress, status == .complete ? 100 : 0, "progress")
        let causes: [JobStatus: [AttemptCause]] = [.complete: [], .failed: [.failed], .cancelled: [.cancelled]]
        try store.equal(job.history.map(\.cause), causes[status], "history")
        let again = try await store.change(.update(held.id, attempt: 1, JobUpdate(status: status)))
        try store.equal(again.changed, false, "changed again")
        try await store.error(.jobFinished) { try await store.store.update(held.id, JobUpdate()) }
      }
    },
    ContractCheck("update: complete keeps a progress it is given") { store in
      let job = try await store.create()
      try await store.store.update(job.id, JobUpdate(status: .complete, progress: 99))
      try store.equal(try await store.get(job.id).progress, 99, "progress")
    },
    ContractCheck("report: writes what holders say, and names the claims that are over") { store in
      let held = try await store.held()
      let gone = try await store.held("save")
      try await store.store.cancel(gone.id)
      store.clock.advance(.seconds(3))
      let heard = store.clock.now - .seconds(1)
      let lease = heard + .seconds(30)
      let reports = [held, gone].map {
        HolderReport(
          claim: $0.claim, update: JobUpdate(progress: 55, stage: .set("encoding")), leaseExpiresAt: lease,
          heardAt: heard)
      }
      guard case .reported(let stale) = try await store.store.commit(.report(reports)) else {
        throw store.violation("not reported")
      }
      try store.equal(stale, [gone.claim], "claims that are over")
      let job = try await store.get(held.id)
      try store.equal(job.progress, 55, "progress")
      try store.equal(job.stage, "encoding", "stage")
      try store.equal(job.leaseExpiresAt, lease, "lease")
      try store.equal(job.updatedAt, heard, "updated at")
      try store.equal(try await store.get(gone.id).progress, 0, "progress of the cancelled job")
    },
  ]
}
