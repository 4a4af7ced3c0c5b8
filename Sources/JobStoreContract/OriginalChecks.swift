import JobModel
import JobStore

extension ContractCheck {
  /// The behaviours of the original store, through the conveniences that bear its interface's names.
  static let original: [ContractCheck] = [
    ContractCheck("original: creates and retrieves a job") { store in
      let job = try await store.create(metadata: #"{"url":"https://example.org/a.mp3"}"#)
      let found = try await store.get(job.id)
      try store.equal(found.outline, job, "the job")
      try store.equal(found.status, .pending, "status")
      try store.equal(found.type, "ingest", "type")
      try store.equal(found.metadata, #"{"url":"https://example.org/a.mp3"}"#, "metadata")
      try store.equal(found.createdAt, store.clock.now, "created at")
      try store.equal(try await store.store.get(.timeOrdered()), nil, "a job that was never created")
    },
    ContractCheck("original: updates status, progress and stage") { store in
      let job = try await store.create()
      store.clock.advance(.seconds(1))
      try await store.store.update(
        job.id, JobUpdate(status: .processing, progress: 40, stage: .set("downloading")))
      let found = try await store.get(job.id)
      try store.equal(found.status, .processing, "status")
      try store.equal(found.progress, 40, "progress")
      try store.equal(found.stage, "downloading", "stage")
      try store.equal(found.updatedAt, store.clock.now, "updated at")
    },
    ContractCheck("original: completes with a result") { store in
      let job = try await store.create()
      try await store.store.complete(job.id, result: #"{"path":"/out.wav"}"#)
      let found = try await store.get(job.id)
      try store.equal(found.status, .complete, "status")
      try store.equal(found.progress, 100, "progress")
      try store.equal(found.result, #"{"path":"/out.wav"}"#, "result")
    },
    ContractCheck("original: fails with an error") { store in
      let job = try await store.create()
      try await store.store.fail(job.id, error: "Download failed")
      let found = try await store.get(job.id)
      try store.equal(found.status, .failed, "status")
      try store.equal(found.error, "Download failed", "error")
    },
    ContractCheck("original: cancels a pending job") { store in
      let job = try await store.create()
      try await store.store.cancel(job.id)
      try store.equal(try await store.get(job.id).status, .cancelled, "status")
    },
    ContractCheck("original: cancel does nothing to a finished job") { store in
      let job = try await store.create()
      try await store.store.complete(job.id, result: #"{"a":1}"#)
      let before = try await store.get(job.id)
      store.clock.advance(.seconds(1))
      let reply = try await store.change(.cancel(job.id))
      try store.equal(reply.changed, false, "changed")
      try store.equal(try await store.get(job.id), before, "the job")
    },
    ContractCheck("original: claims the oldest job first, as processing") { store in
      let first = try await store.create()
      let second = try await store.create()
      let claimed = try await store.store.claimNextPending(type: "ingest")
      try store.equal(claimed?.id, first.id, "the first claim")
      try store.equal(claimed?.status, .processing, "status")
      try store.equal(try await store.get(first.id).status, .processing, "status as stored")
      try store.equal(try await store.store.claimNextPending()?.id, second.id, "the second claim")
    },
    ContractCheck("original: a claim on an empty queue returns nothing") { store in
      let claimed = try await store.store.claimNextPending(type: "ingest")
      try store.equal(claimed, nil, "the claim")
    },
    ContractCheck("original: marks stale processing jobs failed") { store in
      let stale = try await store.held()
      store.clock.advance(.seconds(100))
      let alive = try await store.held()
      let waiting = try await store.create()
      let count = try await store.store.markStaleJobsFailed(timeout: .seconds(60), now: store.clock.now)
      try store.equal(count, 1, "count")
      let found = try await store.get(stale.id)
      try store.equal(found.status, .failed, "status")
      try store.equal(found.error, "Timeout: job exceeded processing time limit", "error")
      try store.equal(try await store.get(alive.id).status, .processing, "status of a job heard from")
      try store.equal(try await store.get(waiting.id).status, .pending, "status of a pending job")
    },
    ContractCheck("original: tells the queue position") { store in
      var jobs: [Job] = []
      for _ in 0..<3 { jobs.append(try await store.create()) }
      for (place, job) in jobs.enumerated() {
        try store.equal(try await store.store.getQueuePosition(job.id), place, "position")
      }
    },
    ContractCheck("original: the position of a job that is not pending is -1") { store in
      let job = try await store.held()
      try store.equal(try await store.store.getQueuePosition(job.id), -1, "position of a processing job")
      try store.equal(try await store.store.getQueuePosition(.timeOrdered()), -1, "position of no job")
    },
    ContractCheck("original: lists by status") { store in
      let first = try await store.create()
      let second = try await store.create()
      try await store.store.complete(first.id)
      try store.equal(try await store.store.list(status: .complete).map(\.id), [first.id], "complete")
      try store.equal(try await store.store.list(status: .pending).map(\.id), [second.id], "pending")
    },
    ContractCheck("original: lists by type") { store in
      let ingest = try await store.create("ingest")
      let preview = try await store.create("preview")
      try store.equal(try await store.store.list(type: "ingest").map(\.id), [ingest.id], "ingest")
      try store.equal(try await store.store.list(type: "preview").map(\.id), [preview.id], "preview")
    },
    ContractCheck("original: a list keeps to its limit") { store in
      for _ in 0..<5 { _ = try await store.create() }
      try store.equal(try await store.store.list(limit: 2).count, 2, "count")
    },
    ContractCheck("original: an update of an unknown job is an error") { store in
      let id = JobID.timeOrdered()
      let error = try await store.error(.notFound) {
        try await store.store.update(id, JobUpdate(progress: 1))
      }
      try store.equal(error.message, "Job \(id) not found", "message")
    },
    ContractCheck("original: the retry count can be set") { store in
      let job = try await store.create()
      try await store.store.update(job.id, JobUpdate(retryCount: 1))
      try store.equal(try await store.get(job.id).retryCount, 1, "retry count")
    },
  ]
}
