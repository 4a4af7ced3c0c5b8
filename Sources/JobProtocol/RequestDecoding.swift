import CJobBrokerProto
import CProtobufC
import JobModel

// protobuf-c sets the pointer of the member of a oneof that is set, and every pointer of a repeated message.

extension Operation {
  /// Reads and validates the operation of a request.
  init(decoding request: UnsafePointer<Jobbroker__Request>) throws(JobError) {
    let message = request.pointee
    switch message.operation_case {
    case JOBBROKER__REQUEST__OPERATION_HELLO: self = .hello(try Hello(decoding: message.hello))
    case JOBBROKER__REQUEST__OPERATION_PING: self = .ping
    case JOBBROKER__REQUEST__OPERATION_CREATE: self = .create(try NewJob.list(decoding: message.create))
    case JOBBROKER__REQUEST__OPERATION_GET:
      self = .get(try Field("get", "id").jobID(message.get.pointee.has_id, message.get.pointee.id))
    case JOBBROKER__REQUEST__OPERATION_LIST: self = .list(try JobFilter(decoding: message.list))
    case JOBBROKER__REQUEST__OPERATION_UPDATE: self = try .update(decoding: message.update)
    case JOBBROKER__REQUEST__OPERATION_COMPLETE: self = try .complete(decoding: message.complete)
    case JOBBROKER__REQUEST__OPERATION_FAIL: self = try .fail(decoding: message.fail)
    case JOBBROKER__REQUEST__OPERATION_RELEASE: self = try .release(decoding: message.release)
    case JOBBROKER__REQUEST__OPERATION_CANCEL:
      self = .cancel(
        try Field("cancel", "id").jobID(message.cancel.pointee.has_id, message.cancel.pointee.id))
    case JOBBROKER__REQUEST__OPERATION_RETRY:
      self = .retry(try Field("retry", "id").jobID(message.retry.pointee.has_id, message.retry.pointee.id))
    case JOBBROKER__REQUEST__OPERATION_DELETE:
      self = .delete(
        try Field("delete", "id").jobID(message.delete_.pointee.has_id, message.delete_.pointee.id))
    case JOBBROKER__REQUEST__OPERATION_CLAIM: self = .claim(try ClaimRequest(decoding: message.claim))
    case JOBBROKER__REQUEST__OPERATION_REAP: self = try .reap(decoding: message.reap)
    case JOBBROKER__REQUEST__OPERATION_POSITION:
      self = .position(
        try Field("position", "id").jobID(message.position.pointee.has_id, message.position.pointee.id))
    case JOBBROKER__REQUEST__OPERATION_WATCH: self = .watch(try WatchSelection(decoding: message.watch))
    case JOBBROKER__REQUEST__OPERATION_UNWATCH: self = try .unwatch(decoding: message.unwatch)
    case JOBBROKER__REQUEST__OPERATION_WITHDRAW: self = try .withdraw(decoding: message.withdraw)
    case JOBBROKER__REQUEST__OPERATION_STATS: self = .stats
    case JOBBROKER__REQUEST__OPERATION_WORKERS: self = .workers
    case JOBBROKER__REQUEST__OPERATION_PAUSE:
      self = .pause(type: try Field("pause", "type").requiredType(message.pause.pointee.type))
    case JOBBROKER__REQUEST__OPERATION_RESUME:
      self = .resume(type: try Field("resume", "type").requiredType(message.resume.pointee.type))
    case JOBBROKER__REQUEST__OPERATION_PRUNE: self = try .prune(decoding: message.prune)
    case JOBBROKER__REQUEST__OPERATION_BACKUP:
      self = .backup(path: try Field("backup", "path").path(message.backup.pointee.path))
    default:
      guard message.base.n_unknown_fields > 0 else {
        throw JobError(.invalidArgument, "The request has no operation.")
      }
      throw JobError(
        .unsupported,
        "This version does not know the operation with field number \(message.base.unknown_fields[0].tag).")
    }
  }

  private static func update(decoding message: UnsafePointer<Jobbroker__Update>) throws(JobError) -> Operation
  {
    let message = message.pointee
    let stage: JobUpdate.Change
    if let text = try Field("update", "stage").text(message.stage, limit: Limits.name) {
      guard message.clear_stage == 0 else {
        throw Field("update", "clear_stage").invalid("and update.stage exclude each other")
      }
      stage = .set(text)
    } else {
      stage = message.clear_stage != 0 ? .clear : .keep
    }
    return .update(
      try Field("update", "id").jobID(message.has_id, message.id),
      attempt: try Field("update", "attempt").attempt(message.has_attempt, message.attempt),
      JobUpdate(
        status: try Field("update", "status").status(message.has_status, message.status),
        progress: try Field("update", "progress").progress(message.has_progress, message.progress),
        stage: stage,
        result: try Field("update", "result").text(message.result, limit: Limits.payload),
        error: try Field("update", "error").text(message.error, limit: Limits.error),
        retryCount: try Field("update", "retry_count").number(
          message.has_retry_count, message.retry_count, in: 0...Limits.retries)))
  }

  private static func complete(
    decoding message: UnsafePointer<Jobbroker__Complete>
  ) throws(JobError) -> Operation {
    let message = message.pointee
    return .complete(
      try Field("complete", "id").jobID(message.has_id, message.id),
      attempt: try Field("complete", "attempt").attempt(message.has_attempt, message.attempt),
      result: try Field("complete", "result").text(message.result, limit: Limits.payload))
  }

  private static func fail(decoding message: UnsafePointer<Jobbroker__Fail>) throws(JobError) -> Operation {
    let message = message.pointee
    return .fail(
      try Field("fail", "id").jobID(message.has_id, message.id),
      attempt: try Field("fail", "attempt").attempt(message.has_attempt, message.attempt),
      error: try Field("fail", "error").text(message.error, limit: Limits.error) ?? "",
      retryable: message.retryable != 0)
  }

  private static func release(
    decoding message: UnsafePointer<Jobbroker__Release>
  ) throws(JobError) -> Operation {
    let message = message.pointee
    return .release(
      try Field("release", "id").jobID(message.has_id, message.id),
      attempt: try Field("release", "attempt").attempt(message.has_attempt, message.attempt),
      delay: Field("release", "delay_ms").duration(message.has_delay_ms, message.delay_ms) ?? .zero)
  }

  private static func reap(decoding message: UnsafePointer<Jobbroker__Reap>) throws(JobError) -> Operation {
    let message = message.pointee
    return .reap(
      timeout: try Field("reap", "timeout_ms").requiredDuration(message.has_timeout_ms, message.timeout_ms),
      type: try Field("reap", "type").type(message.type))
  }

  private static func unwatch(
    decoding message: UnsafePointer<Jobbroker__Unwatch>
  ) throws(JobError) -> Operation {
    guard message.pointee.has_watch_id != 0 else { throw Field("unwatch", "watch_id").missing }
    return .unwatch(id: message.pointee.watch_id)
  }

  private static func withdraw(
    decoding message: UnsafePointer<Jobbroker__Withdraw>
  ) throws(JobError) -> Operation {
    guard message.pointee.has_claim_id != 0 else { throw Field("withdraw", "claim_id").missing }
    return .withdraw(id: message.pointee.claim_id)
  }

  private static func prune(decoding message: UnsafePointer<Jobbroker__Prune>) throws(JobError) -> Operation {
    let message = message.pointee
    let field = Field("prune", "status")
    let status = try field.status(message.has_status, message.status)
    if let status, !status.isFinished {
      throw field.invalid("is \(status); only complete, failed and cancelled jobs can be pruned")
    }
    return .prune(
      olderThan: try Field("prune", "older_than_ms").requiredDuration(
        message.has_older_than_ms, message.older_than_ms),
      status: status,
      type: try Field("prune", "type").type(message.type))
  }
}

extension Hello {
  fileprivate init(decoding message: UnsafePointer<Jobbroker__Hello>) throws(JobError) {
    let message = message.pointee
    guard message.has_protocol_version != 0 else { throw Field("hello", "protocol_version").missing }
    self.init(
      protocolVersion: message.protocol_version,
      client: try Field("hello", "client").name(message.client) ?? "",
      workerName: try Field("hello", "worker_name").name(message.worker_name) ?? "",
      readOnly: message.read_only != 0)
  }
}

extension NewJob {
  fileprivate static func list(
    decoding message: UnsafePointer<Jobbroker__Create>
  ) throws(JobError) -> [NewJob] {
    let count = message.pointee.n_jobs
    guard (1...Limits.createBatch).contains(count) else {
      throw Field("create", "jobs").invalid("has \(count) entries; it must have 1 to \(Limits.createBatch)")
    }
    var jobs: [NewJob] = []
    jobs.reserveCapacity(count)
    for index in 0..<count { jobs.append(try NewJob(decoding: message.pointee.jobs[index]!, index: index)) }
    return jobs
  }

  private init(decoding message: UnsafePointer<Jobbroker__NewJob>, index: Int) throws(JobError) {
    func field(_ name: StaticString) -> Field { Field("create.jobs", name, index: index) }
    let message = message.pointee
    self.init(
      id: message.has_id != 0 ? try field("id").jobID(message.id) : .timeOrdered(),
      type: try field("type").requiredType(message.type),
      metadata: try field("metadata").text(message.metadata, limit: Limits.payload) ?? "{}",
      priority: message.priority,
      maxRetries: try field("max_retries").number(
        message.has_max_retries, message.max_retries, in: 0...Limits.retries) ?? NewJob.defaultMaxRetries,
      maxLost: try field("max_lost").number(
        message.has_max_lost, message.max_lost, in: 0...Limits.retries) ?? NewJob.defaultMaxLost,
      notBefore: try field("not_before").moment(message.has_not_before, message.not_before),
      uniqueKey: try field("unique_key").nonEmptyText(message.unique_key, limit: Limits.name))
  }
}

extension JobFilter {
  fileprivate init(decoding message: UnsafePointer<Jobbroker__List>) throws(JobError) {
    let message = message.pointee
    self.init(
      status: try Field("list", "status").status(message.has_status, message.status),
      type: try Field("list", "type").type(message.type),
      idPrefix: try Field("list", "id_prefix").idPrefix(message.id_prefix),
      limit: try Field("list", "limit").number(message.has_limit, message.limit, in: 1...Limits.page)
        ?? JobFilter.defaultLimit,
      cursor: message.has_cursor != 0 ? Int64(clamping: message.cursor) : nil)
  }
}

extension ClaimRequest {
  fileprivate init(decoding message: UnsafePointer<Jobbroker__Claim>) throws(JobError) {
    let message = message.pointee
    self.init(
      types: try Field("claim", "types").types(message.n_types, message.types),
      maxJobs: try Field("claim", "max_jobs").number(
        message.has_max_jobs, message.max_jobs, in: 1...Limits.claimBatch) ?? 1,
      wait: Field("claim", "wait_ms").duration(message.has_wait_ms, message.wait_ms) ?? .zero,
      lease: try Field("claim", "lease_ms").lease(message.has_lease_ms, message.lease_ms)
        ?? ClaimRequest.defaultLease)
  }
}

extension WatchSelection {
  fileprivate init(decoding message: UnsafePointer<Jobbroker__Watch>) throws(JobError) {
    let message = message.pointee
    let field = Field("watch", "ids")
    try field.selection(message.n_ids)
    var ids: Set<JobID> = []
    for bytes in UnsafeBufferPointer(start: message.ids, count: message.n_ids) {
      ids.insert(try field.jobID(bytes))
    }
    let types = try Field("watch", "types").types(message.n_types, message.types)
    self.init(ids: ids, types: Set(types.map { TypeName($0) }))
  }
}
