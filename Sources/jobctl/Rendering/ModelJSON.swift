import JobBrokerClient

// The JSON of the model: the names of the wire, fields that are absent left out, times in ISO 8601.

extension JSONLine {
  init(_ job: Job) {
    self.init()
    add("id", job.id.description)
    add("type", job.type)
    add("status", job.status.rawValue)
    add("progress", job.progress)
    add("stage", job.stage)
    add("metadata", json: job.metadata)
    add("result", json: job.result)
    add("error", job.error)
    add("priority", job.priority)
    add("attempt", job.attempt)
    add("retry_count", job.retryCount)
    add("max_retries", job.maxRetries)
    add("lost_count", job.lostCount)
    add("max_lost", job.maxLost)
    add("unique_key", job.uniqueKey)
    if let worker = job.worker { add("worker", JSONLine(worker)) }
    add("not_before", job.notBefore)
    add("lease_expires_at", job.leaseExpiresAt)
    add("created_at", job.createdAt)
    add("updated_at", job.updatedAt)
    add("started_at", job.startedAt)
    add("finished_at", job.finishedAt)
    add("sequence", job.sequence)
    if !job.history.isEmpty { add("history", job.history.map { JSONLine($0) }) }
  }

  init(_ worker: WorkerIdentity) {
    self.init()
    add("name", worker.name)
    add("pid", worker.pid)
    add("uid", worker.uid)
  }

  init(_ attempt: AttemptRecord) {
    self.init()
    add("attempt", attempt.attempt)
    if let worker = attempt.worker { add("worker", JSONLine(worker)) }
    add("started_at", attempt.startedAt)
    add("ended_at", attempt.endedAt)
    add("cause", attempt.cause.rawValue)
    add("error", attempt.error)
  }

  init(_ stats: BrokerStats) {
    self.init()
    add("server", stats.server)
    add("store", stats.store)
    add("pid", stats.pid)
    add("uptime_ms", stats.uptime.milliseconds)
    add("cpu_ms", stats.cpu.milliseconds)
    add("resident_bytes", stats.residentBytes)
    add("connections", stats.connections)
    add("waiting_claims", stats.waitingClaims)
    add("watches", stats.watches)
    add("commits", stats.commits)
    add("commands", stats.commands)
    add(
      "types",
      stats.types.map { type in
        JSONLine {
          $0.add("type", type.type)
          for status in JobStatus.allCases { $0.add(status.rawValue, type.counts[status, default: 0]) }
          $0.add("paused", type.isPaused)
        }
      })
    add("truncated", stats.isTruncated)
  }

  init(_ worker: ConnectedWorker) {
    self.init()
    add("name", worker.identity.name)
    add("pid", worker.identity.pid)
    add("uid", worker.identity.uid)
    add("client", worker.client)
    add("connected_at", worker.connectedAt)
    add("waiting", worker.isWaiting)
    add("waiting_types", worker.waitingTypes)
    add(
      "holds",
      worker.holds.map { held in
        JSONLine {
          $0.add("id", held.claim.id.description)
          $0.add("type", held.type)
          $0.add("attempt", held.claim.attempt)
        }
      })
  }
}
