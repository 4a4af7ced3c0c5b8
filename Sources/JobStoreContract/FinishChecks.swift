import JobModel
import JobStore

extension ContractCheck {
  static let finishing: [ContractCheck] = [
    ContractCheck("complete: ends the attempt") { store in
      let held = try await store.held()
      try await store.store.update(held.id, attempt: 1, JobUpdate(progress: 50, stage: .set("encoding")))
      store.clock.advance(.seconds(2))
      let (reply, changed) = try await store.change(.complete(held.id, attempt: 1, result: #"{"r":1}"#))
      try store.equal(changed, true, "changed")
      try store.equal(reply.metadata, nil, "metadata in the reply")
      let job = try await store.get(held.id)
      try store.equal(job.finishedAt, store.clock.now, "finished at")
      try store.equal(job.leaseExpiresAt, nil, "lease")
      try store.equal(job.worker, ContractSubject.worker, "the last holder")
      try store.equal(job.stage, "encoding", "stage")
      try store.equal(job.history, [], "history")
      let counts = try await store.stats()?.counts ?? [:]
      try store.equal([counts[.pending], counts[.processing], counts[.complete]], [0, 0, 1], "counters")
    },
    ContractCheck("complete: a repeat is answered as the first time, another result is superseded") { store in
      let held = try await store.held()
      _ = try await store.change(.complete(held.id, attempt: nil, result: #"{"by":"webhook"}"#))
      for result in [nil, #"{"by":"webhook"}"#] {
        let (_, changed) = try await store.change(.complete(held.id, attempt: 1, result: result))
        try store.equal(changed, false, "changed by a repeat")
      }
      let error = try await store.error(.staleClaim) {
        try await store.store.complete(held.id, attempt: 1, result: #"{"by":"worker"}"#)
      }
      try store.equal(error.job?.status, .complete, "the job as it is")
    },
    ContractCheck("complete: the result must be a JSON object") { store in
      let held = try await store.held()
      for result in ["[]", "oops", ""] {
        let error = try await store.error(.invalidArgument) {
          try await store.store.complete(held.id, attempt: 1, result: result)
        }
        try store.equal(error.message, "result must be a JSON object.", "message")
      }
      try store.equal(try await store.get(held.id).status, .processing, "status")
    },
    ContractCheck("fail: keeps the attempt in the history") { store in
      let held = try await store.held()
      store.clock.advance(.seconds(2))
      _ = try await store.change(.fail(held.id, attempt: 1, error: "no such file", retryable: false))
      let job = try await store.get(held.id)
      try store.equal(job.status, .failed, "status")
      try store.equal(job.error, "no such file", "error")
      try store.equal(job.finishedAt, store.clock.now, "finished at")
      let record = AttemptRecord(
        attempt: 1, worker: ContractSubject.worker, startedAt: held.updatedAt, endedAt: store.clock.now,
        cause: .failed, error: "no such file")
      try store.equal(job.history, [record], "history")
    },
    ContractCheck("finish: the first end stays, and both racers see which it was") { store in
      let ends: [@Sendable (JobID) -> JobCommand] = [
        { .complete($0, attempt: nil, result: nil) },
        { .fail($0, attempt: nil, error: "e", retryable: false) },
        { .fail($0, attempt: nil, error: "e", retryable: true) },
        { .update($0, attempt: nil, JobUpdate(status: .failed)) },
        { .release($0, attempt: nil, delay: .zero, reason: nil) },
      ]
      let job = try await store.create()
      try await store.store.complete(job.id, result: #"{"first":true}"#)
      let before = try await store.get(job.id)
      for end in ends {
        let error = try await store.error(.jobFinished) { try await store.store.commit(end(job.id)) }
        try store.equal(error.job?.status, .complete, "status in the error")
        try store.equal(error.job?.result, nil, "result in the error")
      }
      try store.equal(try await store.get(job.id), before, "the job")
    },
    ContractCheck("finish: one of many racers wins") { store in
      let held = try await store.held()
      let wins = try await withThrowingTaskGroup(of: Bool.self) { group in
        for number in 0..<20 {
          group.addTask {
            let command: JobCommand =
              number % 2 == 0
              ? .complete(held.id, attempt: nil, result: nil)
              : .fail(held.id, attempt: nil, error: "e", retryable: false)
            do {
              guard case .job(_, let changed) = try await store.store.commit(command) else { return false }
              return changed
            } catch let error as JobError where error.code == .jobFinished { return false }
          }
        }
        return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
      }
      try store.equal(wins, 1, "winners")
    },
    ContractCheck("cancel: ends an attempt") { store in
      let held = try await store.held()
      let (job, changed) = try await store.change(.cancel(held.id))
      try store.equal(changed, true, "changed")
      try store.equal(job.status, .cancelled, "status")
      try store.equal(try await store.get(held.id).history.map(\.cause), [.cancelled], "history")
      let error = try await store.error(.staleClaim) { try await store.store.complete(held.id, attempt: 1) }
      try store.equal(error.job?.status, .cancelled, "status that the late worker sees")
    },
    ContractCheck("cancel: again tells nothing large of the job") { store in
      let job = try await store.create()
      try await store.store.complete(job.id, result: #"{"a":1}"#)
      let (cancelled, changed) = try await store.change(.cancel(job.id))
      try store.expect(!changed && cancelled.status == .complete && cancelled.result == nil, "the outline")
    },
    ContractCheck("cancel: a job that waits for a moment is never claimed") { store in
      let job = try await store.create(after: .seconds(5))
      try await store.store.cancel(job.id)
      store.clock.advance(.seconds(10))
      _ = try await store.store.commit(.promote)
      try store.equal(try await store.claim(), [], "the claim")
    },
    ContractCheck("change: of an unknown job is an error") { store in
      let id = JobID.timeOrdered()
      let commands: [JobCommand] = [
        .complete(id, attempt: nil, result: nil), .complete(id, attempt: 1, result: nil),
        .fail(id, attempt: nil, error: "", retryable: true),
        .release(id, attempt: 1, delay: .zero, reason: nil),
        .lose(ClaimToken(id: id, attempt: 1)), .cancel(id), .retry(id), .delete(id),
      ]
      for command in commands { try await store.error(.notFound) { try await store.store.commit(command) } }
    },
    ContractCheck("delete: removes a job and its history") { store in
      let held = try await store.held()
      try await store.store.fail(held.id, attempt: 1, error: "e")
      guard case .deleted(let job) = try await store.store.commit(.delete(held.id)) else {
        throw store.violation("not deleted")
      }
      try store.equal(job.status, .failed, "status as it was")
      try store.equal(try await store.store.get(held.id), nil, "the job")
      try store.equal(try await store.stats(), nil, "its counters")
      let next = try await store.store.create(NewJob(id: held.id, type: "ingest"))
      try store.equal(try await store.get(held.id).history, [], "history of a new job with the id")
      try store.expect(next.sequence > held.sequence, "a sequence is never used again")
    },
    ContractCheck("delete: a pending or processing job can be deleted too") { store in
      let held = try await store.held()
      let pending = try await store.create()
      _ = try await store.store.commit([.delete(held.id), .delete(pending.id)])
      try store.equal(try await store.stats(), nil, "counters")
      try store.equal(try await store.claim(), [], "a claim")
      try await store.error(.notFound) { try await store.store.complete(held.id, attempt: 1) }
    },
  ]
}
