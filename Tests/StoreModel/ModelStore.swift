import JobModel

/// A store in memory that does what the design says of each operation, and no more: written from the table of
/// states, not from the SQL, so that it can be compared with the core's view of the world.
package struct ModelStore {
  /// One job before and after a command; nil where there was or is none.
  package struct Change {
    package var before: Job?
    package var after: Job?
  }

  package private(set) var jobs: [JobID: Job] = [:]
  package private(set) var pausedTypes: Set<TypeName> = []
  /// Attempts of jobs that were deleted.
  package private(set) var attemptsBefore: [JobID: Int] = [:]
  /// What the commands since the last `takeChanges` did.
  private var changes: [Change] = []
  private var terms: [JobID: Duration] = [:]
  private var lastSequence: Int64 = 0
  let fault: Fault?

  package init(fault: Fault? = nil) { self.fault = fault }

  package mutating func takeChanges() -> [Change] {
    defer { changes = [] }
    return changes
  }

  mutating func put(_ job: Job) {
    changes.append(Change(before: jobs.updateValue(job, forKey: job.id), after: job))
  }

  private mutating func remove(_ job: Job) {
    jobs[job.id] = nil
    attemptsBefore[job.id] = job.attempt
    changes.append(Change(before: job, after: nil))
  }

  /// Whether a claim of its type may take it.
  package func isClaimable(_ job: Job) -> Bool {
    job.status == .pending && job.notBefore == nil
      && (fault == .pauseIgnored || !pausedTypes.contains(TypeName(job.type)))
  }

  /// The claims in force: a job that an update started has none.
  package var held: [Job] { jobs.values.filter { $0.status == .processing && $0.leaseExpiresAt != nil } }

  package var nextDue: Timestamp? {
    jobs.values.lazy.filter { $0.status == .pending }.compactMap(\.notBefore).min()
  }

  package func recover() -> Recovery {
    let held = held.sorted { $0.sequence < $1.sequence }.map {
      Recovery.HeldClaim(job: $0, lease: terms[$0.id] ?? .seconds(30))
    }
    return Recovery(held: fault == .recoveryForgotten ? [] : held, pausedTypes: pausedTypes, nextDue: nextDue)
  }

  package mutating func execute(_ command: JobCommand, at now: Timestamp) -> Result<JobReply, JobError> {
    switch command {
    case .create(let new): return create(new, now)
    case .claim(let types, let maxJobs, let lease, let worker):
      return .success(.claimed((0..<maxJobs).compactMap { _ in claimNext(types, lease, worker, now) }))
    case .update(let id, let attempt, let update): return self.update(id, attempt, update, now)
    case .report(let reports): return .success(.reported(stale: reports.compactMap { write($0) }))
    case .complete(let id, let attempt, let result): return complete(id, attempt, result, now)
    case .fail(let id, let attempt, let error, let retryable): return fail(id, attempt, error, retryable, now)
    case .release(let id, let attempt, let delay, let reason): return release(id, attempt, delay, reason, now)
    case .lose(let claim): return lose(claim, now)
    case .cancel(let id): return cancel(id, now)
    case .retry(let id): return retry(id, now)
    case .delete(let id):
      guard let job = jobs[id] else { return .failure(.notFound(id)) }
      remove(job)
      return .success(.deleted(job))
    case .reap(let cutoff, let type, let sparing, let limit):
      return .success(.reaped(reap(cutoff, type, sparing, limit, now)))
    case .promote: return .success(promote(now))
    case .pause(let type):
      pausedTypes.insert(TypeName(type))
      return .success(.done)
    case .resume(let type):
      pausedTypes.remove(TypeName(type))
      return .success(.done)
    case .prune(let cutoff, let status, let type, let limit):
      let old = jobs.values.filter {
        $0.status.isFinished && ($0.finishedAt ?? now) < cutoff && (status ?? $0.status) == $0.status
          && (type ?? $0.type) == $0.type
      }
      let gone = old.sorted { $0.sequence < $1.sequence }.prefix(limit)
      for job in gone { remove(job) }
      return .success(.pruned(Array(gone)))
    case .changes: return .success(.changes(StoreChanges()))
    case .snapshot(let selection, let limit):
      // A watch of types begins with what is unfinished; a watch of ids with the jobs, whatever they are.
      let covered = jobs.values.filter {
        selection.covers(id: $0.id, type: $0.type)
          && (!$0.status.isFinished || selection.ids.contains($0.id))
      }
      let sorted = covered.sorted { $0.sequence < $1.sequence }
      return .success(.snapshot(Array(sorted.prefix(limit)), truncated: sorted.count > limit))
    }
  }

  // MARK: Creating and claiming

  private mutating func create(_ new: [NewJob], _ now: Timestamp) -> Result<JobReply, JobError> {
    let before = self
    var entries: [CreatedJob] = []
    for new in new {
      if let job = jobs[new.id] {
        guard job.type == new.type, job.priority == new.priority, job.uniqueKey == new.uniqueKey else {
          self = before
          return .failure(JobError(.alreadyExists, "", job: job))
        }
        entries.append(CreatedJob(job: job.outline, created: false))
      } else if let job = holder(ofUniqueKey: new.uniqueKey) {
        entries.append(CreatedJob(job: job.outline, created: false))
      } else {
        lastSequence += 1
        let job = Job(
          id: new.id, type: new.type, metadata: new.metadata, maxRetries: new.maxRetries,
          maxLost: new.maxLost,
          priority: new.priority, notBefore: new.notBefore.flatMap { $0 > now ? $0 : nil },
          uniqueKey: new.uniqueKey, attempt: attemptsBefore[new.id] ?? 0, createdAt: now, updatedAt: now,
          sequence: lastSequence)
        put(job)
        entries.append(CreatedJob(job: job.outline, created: true))
      }
    }
    return .success(.created(entries))
  }

  /// The unfinished job with a unique key.
  func holder(ofUniqueKey key: String?) -> Job? {
    guard let key else { return nil }
    return jobs.values.first { $0.uniqueKey == key && !$0.status.isFinished }
  }

  /// Takes the job that is first by priority, then by age.
  private mutating func claimNext(
    _ types: [String], _ lease: Duration, _ worker: WorkerIdentity, _ now: Timestamp
  ) -> Job? {
    var next: Job?
    for job in jobs.values where isClaimable(job) && (types.isEmpty || types.contains(job.type)) {
      guard let best = next else {
        next = job
        continue
      }
      let isOlder = fault == .newestFirst ? job.sequence > best.sequence : job.sequence < best.sequence
      if job.priority > best.priority || job.priority == best.priority && isOlder { next = job }
    }
    guard var job = next else { return nil }
    job.status = .processing
    if fault != .attemptNotCounted || job.attempt == 0 { job.attempt += 1 }
    job.worker = worker
    job.leaseExpiresAt = now + lease
    job.startedAt = now
    job.updatedAt = now
    terms[job.id] = lease
    put(job)
    return job
  }

  private mutating func promote(_ now: Timestamp) -> JobReply {
    var ready: [TypeName: Int] = [:]
    for var job in jobs.values where job.status == .pending {
      guard let due = job.notBefore, due <= now else { continue }
      job.notBefore = nil
      put(job)
      ready[TypeName(job.type), default: 0] += 1
    }
    return .promoted(ready, nextDue: nextDue)
  }
}
