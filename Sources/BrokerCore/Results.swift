import JobModel

extension BrokerCore {
  /// The store ran a submitted command.
  public mutating func finish(_ submission: Submission, _ result: Result<JobReply, JobError>, at now: Moment) {
    switch (submission.purpose, result) {
    case (.claim(let claim), _): finish(claim, result, now)
    case (.request(let key, let isFenced), .success(let reply)):
      absorb(reply, isFenced: isFenced, now)
      respond(key, reply.wireReply)
    case (.watch(let key, let selection), .success(.snapshot(let jobs, let truncated))):
      guard sessions[key.connection] != nil else { return }
      watches.insert(key, selection)
      respond(key, .snapshot(jobs.map(overlaid), more: false, truncated: truncated))
    case (.prune(let key, let soFar), .success(.pruned(let deleted))):
      for job in deleted { publish(.deleted(job.id), id: job.id, type: job.type) }
      let count = soFar + deleted.count
      if deleted.count < configuration.pruneBatch { return respond(key, .count(count)) }
      submit(submission.command, for: .prune(key, soFar: count))
    case (.pause(let key, let type), .success):
      pausedTypes.insert(type)
      respond(key, .done)
    case (.resume(let key, let type), .success):
      pausedTypes.remove(type)
      signal(type: type, count: .max)
      respond(key, .done)
    case (.promotion, .success(let reply)):
      isPromoting = false
      absorb(reply, isFenced: false, now)
    case (.promotion, .failure): isPromoting = false
    case (.loss(let claim), .failure):
      // The store knows better: the job was finished or given to another meanwhile.
      if leases[claim.id]?.job.attempt == claim.attempt { leases.remove(claim.id) }
    case (.reports, .success(let reply)), (.loss, .success(let reply)), (.giveBack, .success(let reply)):
      absorb(reply, isFenced: false, now)
    case (.reports, .failure), (.giveBack, .failure): break
    case (.request(let key, _), .failure(let error)), (.watch(let key, _), .failure(let error)),
      (.prune(let key, _), .failure(let error)), (.pause(let key, _), .failure(let error)),
      (.resume(let key, _), .failure(let error)):
      refuse(key, error)
    case (.watch(let key, _), .success), (.prune(let key, _), .success):
      refuse(key, JobError(.internal, "The store gave an answer to another question."))
    }
  }

  /// A query was answered.
  public mutating func answer(_ key: RequestKey, _ result: Result<Answer, JobError>) {
    switch result {
    case .failure(let error): refuse(key, error)
    case .success(.job(let job)):
      if let job { respond(key, .job(overlaid(job))) } else { refuse(key, JobError(.notFound, "There is no such job.")) }
    case .success(.page(let page)):
      respond(key, .jobs(JobPage(jobs: page.jobs.map(overlaid), nextCursor: page.nextCursor)))
    case .success(.position(let position)): respond(key, .position(position))
    case .success(.done): respond(key, .done)
    case .success(.stats(var stats)):
      stats.connections = sessions.count
      stats.waitingClaims = queue.count
      stats.watches = watches.count
      stats.server = configuration.server
      for type in pausedTypes.sorted() where !stats.types.contains(where: { $0.type == type }) {
        stats.types.append(TypeStats(type: type))
      }
      for index in stats.types.indices {
        stats.types[index].isPaused = pausedTypes.contains(stats.types[index].type)
      }
      respond(key, .stats(stats))
    }
  }

  private mutating func finish(_ claim: WaitingClaim, _ result: Result<JobReply, JobError>, _ now: Moment) {
    let connection = claim.key.connection
    let isConnected = sessions[connection] != nil
    sessions[connection]?.claimsUnderWay -= 1
    switch result {
    case .failure(let error): refuse(claim.key, error)
    case .success(.claimed(let jobs)) where !jobs.isEmpty:
      for job in jobs {
        leases.insert(job, holder: connection, term: claim.request.lease, now: now.steady)
        publish(job)
      }
      if isConnected, !isDraining {
        answer(claim, with: jobs)
      } else {
        undelivered(jobs.map(\.claim), at: now)
        if isDraining { refuse(claim.key, BrokerCore.draining) }
      }
    case .success:
      guard isConnected else { return }
      if isDraining { return refuse(claim.key, BrokerCore.draining) }
      if claim.deadline <= now.steady { return answer(claim, with: []) }
      if !queue.park(claim) { send(queue.resend(claim)) }
    }
  }

  /// Takes in what a command changed: leases, waiting claims, watches and holders that lost their job.
  private mutating func absorb(_ reply: JobReply, isFenced: Bool, _ now: Moment) {
    switch reply {
    case .created(let jobs): for entry in jobs where entry.created { changed(entry.job, isFenced: false, now) }
    case .job(let job, let hasChanged): if hasChanged { changed(job, isFenced: isFenced, now) }
    case .reaped(let jobs): for job in jobs { changed(job, isFenced: false, now) }
    case .deleted(let job):
      if let lease = leases.remove(job.id) { revoke(lease, status: nil, reason: "The job was deleted.") }
      publish(.deleted(job.id), id: job.id, type: job.type)
    case .reported(let stale):
      for claim in stale where leases[claim.id]?.job.attempt == claim.attempt {
        if let lease = leases.remove(claim.id) {
          revoke(lease, status: nil, reason: "The claim is no longer valid.")
        }
      }
    case .promoted(let ready, let due):
      nextDue = due
      for (type, count) in ready.sorted(by: { $0.key < $1.key }) { signal(type: type, count: count) }
    case .claimed, .pruned, .snapshot, .done: break
    }
  }

  private mutating func changed(_ job: Job, isFenced: Bool, _ now: Moment) {
    if let lease = leases[job.id] {
      if job.status == .processing, job.attempt == lease.job.attempt {
        leases.refresh(job, now: now.steady)
      } else {
        leases.remove(job.id)
        if !isFenced { revoke(lease, status: job.status, reason: job.revocationReason) }
      }
    }
    if job.status == .pending {
      if let due = job.notBefore { nextDue = min(nextDue ?? due, due) } else { signal(type: job.type) }
    }
    publish(job)
  }

  /// Tells the holder, if it is connected, that the job is no longer its.
  private mutating func revoke(_ lease: Lease, status: JobStatus?, reason: String) {
    guard let holder = lease.holder else { return }
    let revocation = Revocation(claim: lease.job.claim, status: status, reason: reason)
    respond(RequestKey(connection: holder, id: 0), .revoked(revocation))
  }

  /// A job as the store has it, with what its holder reported since.
  private func overlaid(_ job: Job) -> Job {
    guard job.status == .processing, let known = leases[job.id]?.job, known.attempt == job.attempt else {
      return job
    }
    var job = job
    job.progress = known.progress
    job.stage = known.stage
    job.updatedAt = max(job.updatedAt, known.updatedAt)
    job.leaseExpiresAt = known.leaseExpiresAt ?? job.leaseExpiresAt
    return job
  }
}

extension Job {
  fileprivate var revocationReason: String {
    switch status {
    case .cancelled: "The job was cancelled."
    case .failed: error ?? "The job was failed."
    case .complete: "The job was completed by another."
    case .pending: "The lease ran out, or the job was taken back."
    case .processing: "The job was given to another."
    }
  }
}

extension JobReply {
  /// The reply to the request that the command stands for.
  fileprivate var wireReply: Reply {
    switch self {
    case .created(let entries):
      .created(entries.map { CreatedJob(job: $0.job.state, created: $0.created) })
    case .job(let job, _): .job(job.state)
    case .claimed(let jobs): .claimed(jobs)
    case .reaped(let jobs): .count(jobs.count)
    case .pruned(let ids): .count(ids.count)
    case .snapshot(let jobs, let truncated): .snapshot(jobs, more: false, truncated: truncated)
    case .deleted, .reported, .promoted, .done: .done
    }
  }
}
