import JobModel
import JobStore

extension ContractCheck {
  static let fencing: [ContractCheck] = [
    ContractCheck("fence: only the present attempt may speak") { store in
      let held = try await store.held()
      let commands: [@Sendable (Int) -> JobCommand] = [
        { .update(held.id, attempt: $0, JobUpdate(progress: 1)) },
        { .complete(held.id, attempt: $0, result: nil) },
        { .fail(held.id, attempt: $0, error: "e", retryable: true) },
        { .release(held.id, attempt: $0, delay: .zero, reason: nil) },
        { .lose(ClaimToken(id: held.id, attempt: $0)) },
      ]
      let before = try await store.get(held.id)
      for command in commands {
        for attempt in [0, 2] {
          let error = try await store.error(.staleClaim) { try await store.store.commit(command(attempt)) }
          try store.equal(error.job?.attempt, 1, "the job in the error")
          try store.equal(error.job?.status, .processing, "its status")
        }
      }
      try store.equal(try await store.get(held.id), before, "the job")
    },
    ContractCheck("fence: a late completion does not touch the job's next attempt") { store in
      let first = try await store.held()
      _ = try await store.change(.lose(first.claim))
      let second = try await store.claimOne(worker: ContractSubject.other)
      try store.equal(second.attempt, 2, "attempt")
      try await store.error(.staleClaim) { try await store.store.complete(first.id, attempt: 1) }
      try store.equal(
        try await store.change(.complete(first.id, attempt: 2, result: nil)).changed, true, "the holder's")
      let error = try await store.error(.staleClaim) { try await store.store.complete(first.id, attempt: 1) }
      try store.equal(error.job?.status, .complete, "what the late worker sees")
    },
    ContractCheck("fence: a repeated complete is answered as the first") { store in
      let held = try await store.held()
      let first = try await store.change(.complete(held.id, attempt: 1, result: #"{"r":1}"#))
      store.clock.advance(.seconds(1))
      let again = try await store.change(.complete(held.id, attempt: 1, result: #"{"r":1}"#))
      try store.equal(again.changed, false, "changed")
      try store.equal(again.job, first.job.outline, "the job")
      try await store.error(.staleClaim) { try await store.store.fail(held.id, attempt: 1, error: "e") }
    },
    ContractCheck("fence: a repeated fail is answered as the first, wherever the job is by now") { store in
      let final = try await store.held("save")
      _ = try await store.change(.fail(final.id, attempt: 1, error: "e", retryable: false))
      let repeated = try await store.change(.fail(final.id, attempt: 1, error: "e", retryable: false))
      try store.equal(repeated.changed, false, "changed, failed for good")

      let held = try await store.held()
      let fail = JobCommand.fail(held.id, attempt: 1, error: "e", retryable: true)
      let first = try await store.change(fail)
      let again = try await store.change(fail)
      try store.equal(again.changed, false, "changed, waiting for its retry")
      try store.equal(again.job, first.job, "the job")
      store.clock.advance(.seconds(10))
      _ = try await store.store.commit(.promote)
      _ = try await store.claimOne()
      let late = try await store.change(fail)
      try store.equal(late.changed, false, "changed, claimed again")
      try store.equal(late.job.attempt, 2, "the job as it is")
      try await store.error(.staleClaim) { try await store.store.complete(held.id, attempt: 1) }
    },
    ContractCheck("fence: a repeated release is answered as the first") { store in
      let held = try await store.held()
      let release = JobCommand.release(held.id, attempt: 1, delay: .zero, reason: "busy")
      try store.equal(try await store.change(release).changed, true, "changed")
      try store.equal(try await store.change(release).changed, false, "changed again")
    },
    ContractCheck("fence: the holder of a lost job may finish it while nobody has claimed it") { store in
      let done = try await store.held()
      _ = try await store.change(.lose(done.claim))
      let (job, changed) = try await store.change(.complete(done.id, attempt: 1, result: nil))
      try store.equal(changed, true, "changed")
      try store.equal(job.status, .complete, "status")
      try store.equal(try await store.claim(), [], "a claim")

      let failed = try await store.held("save")
      _ = try await store.change(.lose(failed.claim))
      _ = try await store.change(.fail(failed.id, attempt: 1, error: "late", retryable: false))
      let found = try await store.get(failed.id)
      try store.equal(found.status, .failed, "status")
      try store.equal(found.history.map(\.cause), [.failed], "history")

      let updated = try await store.held("preview")
      _ = try await store.change(.lose(updated.claim))
      try await store.error(.staleClaim) {
        try await store.store.update(updated.id, attempt: 1, JobUpdate(progress: 1))
      }
      try await store.store.update(updated.id, attempt: 1, JobUpdate(status: .complete))
      try store.equal(try await store.get(updated.id).status, .complete, "status, by update")
    },
    ContractCheck("fence: who gave a job back may not finish it") { store in
      let held = try await store.held()
      _ = try await store.change(.release(held.id, attempt: 1, delay: .zero, reason: nil))
      try await store.error(.staleClaim) { try await store.store.complete(held.id, attempt: 1) }
      try await store.error(.staleClaim) { try await store.store.fail(held.id, attempt: 1, error: "e") }
    },
    ContractCheck("fence: a job that takes a deleted job's id does not take its holder") { store in
      let new = NewJob(type: "ingest")
      for (round, how) in ["deleted", "pruned", "deleted unclaimed"].enumerated() {
        let created = try await store.store.create(new)
        try store.equal(created.attempt, round, "attempts so far")
        guard how != "deleted unclaimed" else { break }
        try store.equal(try await store.claimOne().attempt, round + 1, "attempt")
        if how == "deleted" {
          _ = try await store.store.commit(.delete(new.id))
        } else {
          try await store.store.complete(new.id)
          store.clock.advance(.seconds(1))
          _ = try await store.store.commit(
            .prune(before: store.clock.now, status: nil, type: nil, limit: 10))
        }
        try store.equal(try await store.store.get(new.id), nil, "the \(how) job")
      }
      _ = try await store.store.commit(.delete(new.id))
      _ = try await store.store.create(new)
      let held = try await store.claimOne(worker: ContractSubject.other)
      try store.equal(held.attempt, 3, "attempt")
      for attempt in 1...2 {
        try await store.error(.staleClaim) { try await store.store.complete(new.id, attempt: attempt) }
      }
      let found = try await store.get(new.id)
      try store.equal(found.status, .processing, "status")
      try store.equal(found.history, [], "history")
    },
    ContractCheck("fence: without an attempt anybody may finish a job") { store in
      let pending = try await store.create()
      try await store.store.complete(pending.id)
      try store.equal(try await store.get(pending.id).attempt, 0, "attempt")
      let held = try await store.held()
      try await store.store.fail(held.id, error: "by a webhook")
      try store.equal(try await store.get(held.id).history.map(\.error), ["by a webhook"], "history")
      try await store.error(.staleClaim) { try await store.store.complete(held.id, attempt: 1) }
    },
  ]
}
