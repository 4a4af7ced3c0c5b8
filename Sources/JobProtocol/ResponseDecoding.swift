import CJobBrokerProto
import CProtobufC
import JobModel

// protobuf-c sets the pointer of the member of a oneof that is set.

extension Reply {
  /// Reads the reply of a response.
  init(decoding response: UnsafePointer<Jobbroker__Response>) throws(JobError) {
    let message = response.pointee
    switch message.reply_case {
    case JOBBROKER__RESPONSE__REPLY_ERROR: self = .error(try JobError(decoding: message.error))
    case JOBBROKER__RESPONSE__REPLY_WELCOME: self = .welcome(Welcome(decoding: message.welcome))
    case JOBBROKER__RESPONSE__REPLY_PONG: self = .pong
    case JOBBROKER__RESPONSE__REPLY_CREATED: self = .created(try CreatedJob.list(decoding: message.created))
    case JOBBROKER__RESPONSE__REPLY_JOB: self = .job(try Job(decoding: message.job))
    case JOBBROKER__RESPONSE__REPLY_JOBS:
      let list = message.jobs.pointee
      self = .jobs(
        JobPage(
          jobs: try Job.list(list.n_jobs, list.jobs),
          nextCursor: list.has_next_cursor != 0 ? Int64(clamping: list.next_cursor) : nil))
    case JOBBROKER__RESPONSE__REPLY_CLAIMED:
      self = .claimed(try Job.list(message.claimed.pointee.n_jobs, message.claimed.pointee.jobs))
    case JOBBROKER__RESPONSE__REPLY_COUNT: self = .count(Int(clamping: message.count.pointee.count))
    case JOBBROKER__RESPONSE__REPLY_POSITION:
      self = .position(
        QueuePosition(
          overall: Int(message.position.pointee.position),
          inType: Int(message.position.pointee.position_in_type)))
    case JOBBROKER__RESPONSE__REPLY_SNAPSHOT:
      let snapshot = message.snapshot.pointee
      self = .snapshot(
        try Job.list(snapshot.n_jobs, snapshot.jobs), more: snapshot.more != 0,
        truncated: snapshot.truncated != 0)
    case JOBBROKER__RESPONSE__REPLY_EVENT: self = .event(try JobEvent(decoding: message.event))
    case JOBBROKER__RESPONSE__REPLY_REVOKED: self = .revoked(try Revocation(decoding: message.revoked))
    case JOBBROKER__RESPONSE__REPLY_STATS: self = .stats(BrokerStats(decoding: message.stats))
    case JOBBROKER__RESPONSE__REPLY_WORKERS:
      self = .workers(
        WorkerList(
          workers: try ConnectedWorker.list(decoding: message.workers),
          isTruncated: message.workers.pointee.truncated != 0))
    case JOBBROKER__RESPONSE__REPLY_DONE: self = .done
    default:
      guard message.base.n_unknown_fields > 0 else {
        throw JobError(.invalidArgument, "The response has no reply.")
      }
      throw JobError(
        .unsupported,
        "This version does not know the reply with field number \(message.base.unknown_fields[0].tag).")
    }
  }
}

extension JobError {
  fileprivate init(decoding message: UnsafePointer<Jobbroker__Error>) throws(JobError) {
    var job: Job?
    if let pointer = message.pointee.job { job = try Job(decoding: pointer) }
    self.init(Code(message.pointee.code), String(message.pointee.message), job: job)
  }
}

extension Welcome {
  fileprivate init(decoding message: UnsafePointer<Jobbroker__Welcome>) {
    let message = message.pointee
    self.init(
      protocolVersion: message.protocol_version, server: String(message.server),
      maxFrame: Int(message.max_frame), maxInFlight: Int(message.max_in_flight),
      features: UnsafeBufferPointer(start: message.features, count: message.n_features).map { String($0) })
  }
}

extension CreatedJob {
  fileprivate static func list(
    decoding message: UnsafePointer<Jobbroker__Created>
  ) throws(JobError) -> [CreatedJob] {
    var entries: [CreatedJob] = []
    entries.reserveCapacity(message.pointee.n_jobs)
    for case let entry? in UnsafeBufferPointer(start: message.pointee.jobs, count: message.pointee.n_jobs) {
      guard let job = entry.pointee.job else {
        throw Field("created.jobs", "job", index: entries.count).missing
      }
      entries.append(CreatedJob(job: try Job(decoding: job), created: entry.pointee.created != 0))
    }
    return entries
  }
}

extension JobEvent {
  fileprivate init(decoding message: UnsafePointer<Jobbroker__Event>) throws(JobError) {
    let event = message.pointee
    switch event.change_case {
    case JOBBROKER__EVENT__CHANGE_CHANGED: self = .changed(try Job(decoding: event.changed))
    case JOBBROKER__EVENT__CHANGE_DELETED: self = .deleted(try Field("event", "deleted").jobID(event.deleted))
    case JOBBROKER__EVENT__CHANGE_RESYNC: self = .resync
    default: throw JobError(.unsupported, "This version does not know the kind of an event.")
    }
  }
}

extension Revocation {
  fileprivate init(decoding message: UnsafePointer<Jobbroker__Revoked>) throws(JobError) {
    let message = message.pointee
    self.init(
      claim: ClaimToken(
        id: try Field("revoked", "id").jobID(message.has_id, message.id), attempt: Int(message.attempt)),
      // One that this version does not know: the claim is gone whatever the job is now.
      status: message.has_status != 0 ? JobStatus(message.status) : nil,
      reason: String(message.reason))
  }
}

extension BrokerStats {
  fileprivate init(decoding message: UnsafePointer<Jobbroker__Stats>) {
    let message = message.pointee
    self.init()
    for case let type? in UnsafeBufferPointer(start: message.types, count: message.n_types) {
      types.append(TypeStats(decoding: type))
    }
    connections = Int(clamping: message.connections)
    waitingClaims = Int(clamping: message.waiting_claims)
    watches = Int(clamping: message.watches)
    commits = Int(clamping: message.commits)
    commands = Int(clamping: message.commands)
    uptime = .milliseconds(Int64(clamping: message.uptime_ms))
    cpu = .microseconds(Int64(clamping: message.cpu_us))
    residentBytes = Int(clamping: message.resident_bytes)
    server = String(message.server)
    store = String(message.store)
    pid = message.pid
    isTruncated = message.truncated != 0
  }
}

extension TypeStats {
  fileprivate init(decoding message: UnsafePointer<Jobbroker__Stats__Type>) {
    let message = message.pointee
    self.init(
      type: String(message.type),
      counts: [
        .pending: Int(clamping: message.pending), .processing: Int(clamping: message.processing),
        .complete: Int(clamping: message.complete), .failed: Int(clamping: message.failed),
        .cancelled: Int(clamping: message.cancelled),
      ],
      isPaused: message.paused != 0)
  }
}

extension ConnectedWorker {
  fileprivate static func list(
    decoding message: UnsafePointer<Jobbroker__WorkerList>
  ) throws(JobError) -> [ConnectedWorker] {
    var workers: [ConnectedWorker] = []
    for case let worker? in UnsafeBufferPointer(
      start: message.pointee.workers, count: message.pointee.n_workers)
    {
      workers.append(try ConnectedWorker(decoding: worker))
    }
    return workers
  }

  private init(decoding message: UnsafePointer<Jobbroker__WorkerList__Worker>) throws(JobError) {
    let message = message.pointee
    var holds: [Held] = []
    for case let held? in UnsafeBufferPointer(start: message.holds, count: message.n_holds) {
      let field = Field("workers.holds", "id", index: holds.count)
      let claim = ClaimToken(
        id: try field.jobID(held.pointee.has_id, held.pointee.id), attempt: Int(held.pointee.attempt))
      holds.append(Held(claim: claim, type: String(held.pointee.type)))
    }
    self.init(
      identity: WorkerIdentity(message.holder) ?? WorkerIdentity(name: "", pid: 0, uid: 0),
      client: String(message.client),
      connectedAt: Timestamp(milliseconds: message.connected_at),
      isWaiting: message.waiting != 0,
      waitingTypes: UnsafeBufferPointer(start: message.waiting_types, count: message.n_waiting_types).map {
        String($0)
      },
      holds: holds)
  }
}
