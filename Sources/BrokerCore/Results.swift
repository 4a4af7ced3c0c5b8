import JobModel

extension BrokerCore {
  /// The store ran a submitted command.
  public mutating func finish(_ submission: Submission, _ result: Result<JobReply, JobError>, at now: Moment)
  {
    switch (submission.purpose, result) {
    case (.claim(let claim), _):
      finish(claim, result, now)
      claimReturned()
    case (.request(let key, let isFenced), .success(let reply)):
      absorb(reply, from: key.connection, isFenced: isFenced, now)
      respond(key, reply.wireReply)
    case (.create(let key), .success(let reply)):
      absorb(reply, of: submission.command)
      respond(key, reply.wireReply)
    case (.watch(let key), .success(.snapshot(let jobs, let truncated))):
      guard sessions[key.connection] != nil else { return snapshotTold() }
      watches.follow(key)
      respond(key, .snapshot(jobs.map(overlaid), more: false, truncated: truncated))
    case (.reap(let reap), .success(.reaped(let jobs))): didReap(jobs, reap, now)
    case (.prune(let key, let soFar), .success(.pruned(let deleted))):
      for job in deleted { publish(.deleted(job.id), id: job.id, type: job.type) }
      let count = soFar + deleted.count
      if deleted.count < configuration.sweepBatch { return respond(key, .count(count)) }
      if isDraining { return refuse(key, BrokerCore.draining) }
      submit(submission.command, for: .prune(key, soFar: count))
    case (.pause(let key, let type), .success):
      pausedTypes.insert(TypeName(type))
      respond(key, .done)
    case (.resume(let key, let type), .success):
      pausedTypes.remove(TypeName(type))
      signal(type: type, count: .max)
      respond(key, .done)
    case (.promotion, .success(let reply)):
      isPromoting = false
      absorb(reply, now)
    case (.promotion, .failure):
      isPromoting = false
      nextPromotion = now.steady + configuration.retryDelay
    case (.poll, .success(.changes(let changes))): learn(changes, now)
    case (.poll, _): polling?.end(now: now.steady, succeeded: false, hasMore: false)
    case (.end(let claim), .success(let reply)):
      absorb(reply, now)
      // That nothing changed means that the store had ended the claim before.
      if leases[claim] != nil { leases.remove(claim.id) }
    case (.end(let claim), .failure(let error)) where error.isOutdated:
      if leases[claim] != nil { leases.remove(claim.id) }
      foreignLeases.remove(claim.id)
    case (.end(let claim), .failure):
      leases.resume(claim, deadline: now.steady + configuration.retryDelay)
    case (.reports, .success(let reply)):
      if case .report(let reports) = submission.command { leases.didWrite(reports) }
      absorb(reply, now)
    case (.reports, .failure):
      if case .report(let reports) = submission.command { leases.didNotWrite(reports, now: now.steady) }
    case (.watch(let key), .failure(let error)):
      watches.remove(key)
      refuse(key, error)
      snapshotTold()
    case (.reap(let reap), .failure(let error)): refuse(reap.key, error)
    case (.request(let key, _), .failure(let error)), (.create(let key), .failure(let error)),
      (.prune(let key, _), .failure(let error)), (.pause(let key, _), .failure(let error)),
      (.resume(let key, _), .failure(let error)):
      refuse(key, error)
    case (.reap(let reap), .success): refuse(reap.key, BrokerCore.otherAnswer)
    case (.watch(let key), .success):
      refuse(key, BrokerCore.otherAnswer)
      snapshotTold()
    case (.prune(let key, _), .success): refuse(key, BrokerCore.otherAnswer)
    }
  }

  /// A query was answered.
  public mutating func answer(_ key: RequestKey, _ result: Result<Answer, JobError>) {
    switch result {
    case .failure(let error): refuse(key, error)
    case .success(.job(let job)):
      if let job {
        respond(key, .job(overlaid(job)))
      } else {
        refuse(key, JobError(.notFound, "There is no such job."))
      }
    case .success(.page(let page)):
      respond(key, .jobs(JobPage(jobs: page.jobs.map(overlaid), nextCursor: page.nextCursor)))
    case .success(.position(let position)): respond(key, .position(position))
    case .success(.done): respond(key, .done)
    case .success(.stats(var stats)):
      stats.connections = sessions.count
      stats.waitingClaims = queue.count
      stats.watches = watches.count
      stats.server = configuration.server
      let known = Set(stats.types.map { TypeName($0.type) })
      for type in pausedTypes.subtracting(known).sorted() { stats.types.append(TypeStats(type: type.text)) }
      for index in stats.types.indices {
        stats.types[index].isPaused = pausedTypes.contains(TypeName(stats.types[index].type))
      }
      respond(key, .stats(stats))
    }
  }

  private mutating func finish(_ claim: WaitingClaim, _ result: Result<JobReply, JobError>, _ now: Moment) {
    let isWithdrawn = queue.comeBack(claim)
    let connection = claim.key.connection
    let isConnected = sessions[connection] != nil
    switch result {
    case .failure(let error):
      refuse(claim.key, error)
      if let ready = claim.wokenFor { signal(type: ready.type, count: ready.count) }
    case .success(.claimed(let jobs)) where !jobs.isEmpty:
      for job in jobs {
        // Another broker has taken it from its holder here, who was not told yet.
        if let old = leases.remove(job.id) { revoke(old, by: job) }
        leases.insert(job, holder: connection, term: claim.request.lease, now: now.steady)
        foreignLeases.remove(job.id)
        publish(job)
      }
      if let ready = claim.left(after: jobs) { signal(type: ready.type, count: ready.count) }
      if isConnected, !isDraining {
        answer(claim, with: jobs)
      } else {
        undelivered(jobs.map(\.claim), at: now)
        if isDraining { refuse(claim.key, BrokerCore.draining) }
      }
    case .success:
      guard isConnected else { return }
      if isDraining { return refuse(claim.key, BrokerCore.draining) }
      if isWithdrawn || claim.deadline <= now.steady { return answer(claim, with: []) }
      if !queue.park(claim) { send(queue.resend(claim)) }
    }
  }

  /// Takes in what a create made. The claims that wait for it were sent with it, except for jobs with a moment.
  private mutating func absorb(_ reply: JobReply, of command: JobCommand) {
    guard case .created(let entries) = reply, case .create(let jobs) = command else { return }
    for (entry, job) in zip(entries, jobs) where entry.created {
      if job.notBefore != nil { becamePending(entry.job) }
      publish(entry.job)
    }
  }

  /// Takes in what a command changed: leases, waiting claims, watches and holders that lost their job.
  private mutating func absorb(
    _ reply: JobReply, from connection: ConnectionID? = nil, isFenced: Bool = false, _ now: Moment
  ) {
    switch reply {
    case .job(let job, let hasChanged):
      if hasChanged { changed(job, from: connection, isFenced: isFenced, now) }
    case .deleted(let job): deleted(job.id, type: job.type)
    case .reported(let stale):
      for claim in stale where leases[claim] != nil {
        if let lease = leases.remove(claim.id) {
          revoke(lease, status: nil, reason: "The claim is no longer valid.")
        }
      }
    case .promoted(let ready, let due):
      nextDue = due
      for (type, count) in ready.sorted(by: { $0.key < $1.key }) { signal(type: type.text, count: count) }
    case .created, .claimed, .reaped, .pruned, .snapshot, .changes, .done: break
    }
  }

  mutating func deleted(_ id: JobID, type: String) {
    if let lease = leases.remove(id) { revoke(lease, status: nil, reason: "The job was deleted.") }
    foreignLeases.remove(id)
    publish(.deleted(id), id: id, type: type)
  }

  mutating func changed(
    _ job: Job, from connection: ConnectionID? = nil, isFenced: Bool = false, _ now: Moment
  ) {
    guard let lease = leases[job.id] else {
      if polling != nil { observe(job, from: isFenced ? connection : nil, now) }
      if job.status == .pending { becamePending(job) }
      return publish(job)
    }
    // What is told of an earlier claim says nothing about the one in force.
    if job.attempt < lease.job.attempt { return }
    if job.status == .processing, job.attempt == lease.job.attempt {
      let connection = connection.flatMap { sessions[$0] == nil ? nil : $0 }
      return publish(leases.refresh(job, from: connection, isFenced: isFenced, now: now.steady))
    }
    leases.remove(job.id)
    if !isFenced { revoke(lease, by: job) }
    if polling != nil { observe(job, from: isFenced ? connection : nil, now) }
    if job.status == .pending { becamePending(job) }
    publish(job)
  }

  private mutating func becamePending(_ job: Job) {
    if let due = job.notBefore { nextDue = min(nextDue ?? due, due) } else { signal(type: job.type) }
  }

  /// Tells the holder, if it is connected, what became of its job without it.
  mutating func revoke(_ lease: Lease, by job: Job) {
    revoke(lease, status: job.status, reason: job.revocationReason)
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

extension JobError {
  /// Whether the store says that the job has moved on, rather than that it could not do what it was asked.
  fileprivate var isOutdated: Bool {
    switch code {
    case .notFound, .staleClaim, .jobFinished: true
    default: false
    }
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
      .created(entries.map { CreatedJob(job: $0.job.withoutTexts, created: $0.created) })
    case .job(let job, _): .job(job.outline)
    case .claimed(let jobs): .claimed(jobs)
    case .reaped(let jobs): .count(jobs.count)
    case .pruned(let ids): .count(ids.count)
    case .snapshot(let jobs, let truncated): .snapshot(jobs, more: false, truncated: truncated)
    case .deleted, .reported, .promoted, .changes, .done: .done
    }
  }
}
