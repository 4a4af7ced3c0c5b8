import CJobBrokerProto
import CProtobufC
import JobModel

/// Building jobs. A value that every job has is always present on the wire, zero or not.
extension Arena {
  func job(_ job: Job) -> UnsafeMutablePointer<Jobbroker__Job> {
    let message = make(jobbroker__job__init)
    (message.pointee.has_id, message.pointee.id) = (1, bytes(job.id))
    message.pointee.type = text(job.type)
    (message.pointee.has_status, message.pointee.status) = (1, job.status.wire)
    (message.pointee.has_progress, message.pointee.progress) = (1, job.progress)
    message.pointee.stage = text(job.stage)
    message.pointee.metadata = text(job.metadata)
    message.pointee.result = text(job.result)
    message.pointee.error = text(job.error)
    (message.pointee.has_retry_count, message.pointee.retry_count) = number(job.retryCount)
    (message.pointee.has_max_retries, message.pointee.max_retries) = number(job.maxRetries)
    (message.pointee.has_lost_count, message.pointee.lost_count) = number(job.lostCount)
    (message.pointee.has_max_lost, message.pointee.max_lost) = number(job.maxLost)
    (message.pointee.has_priority, message.pointee.priority) = (1, job.priority)
    (message.pointee.has_not_before, message.pointee.not_before) = moment(job.notBefore)
    message.pointee.unique_key = text(job.uniqueKey)
    (message.pointee.has_attempt, message.pointee.attempt) = number(job.attempt)
    message.pointee.worker = job.worker.map { holder($0) }
    (message.pointee.has_lease_expires_at, message.pointee.lease_expires_at) = moment(job.leaseExpiresAt)
    (message.pointee.has_created_at, message.pointee.created_at) = moment(job.createdAt)
    (message.pointee.has_updated_at, message.pointee.updated_at) = moment(job.updatedAt)
    (message.pointee.has_started_at, message.pointee.started_at) = moment(job.startedAt)
    (message.pointee.has_finished_at, message.pointee.finished_at) = moment(job.finishedAt)
    if !job.history.isEmpty {
      (message.pointee.n_history, message.pointee.history) = list(job.history) { attempt($0) }
    }
    (message.pointee.has_sequence, message.pointee.sequence) = (1, UInt64(clamping: job.sequence))
    return message
  }

  func jobs(_ jobs: [Job]) -> (Int, UnsafeMutablePointer<UnsafeMutablePointer<Jobbroker__Job>?>) {
    list(jobs) { job($0) }
  }

  func holder(_ worker: WorkerIdentity) -> UnsafeMutablePointer<Jobbroker__Holder> {
    let message = make(jobbroker__holder__init)
    message.pointee.name = text(worker.name)
    (message.pointee.has_pid, message.pointee.pid) = (1, worker.pid)
    (message.pointee.has_uid, message.pointee.uid) = (1, worker.uid)
    return message
  }

  private func attempt(_ record: AttemptRecord) -> UnsafeMutablePointer<Jobbroker__Attempt>? {
    let message = make(jobbroker__attempt__init)
    (message.pointee.has_attempt, message.pointee.attempt) = number(record.attempt)
    message.pointee.worker = record.worker.map { holder($0) }
    (message.pointee.has_started_at, message.pointee.started_at) = moment(record.startedAt)
    (message.pointee.has_ended_at, message.pointee.ended_at) = moment(record.endedAt)
    (message.pointee.has_cause, message.pointee.cause) = (1, record.cause.wire)
    message.pointee.error = text(record.error)
    return message
  }
}

/// An optional scalar as protobuf-c has it: whether it is present, and its value.
extension Arena {
  func number(_ value: Int?) -> (protobuf_c_boolean, UInt32) {
    value.map { (1, UInt32(clamping: $0)) } ?? (0, 0)
  }

  func moment(_ time: Timestamp?) -> (protobuf_c_boolean, Int64) {
    time.map { (1, $0.milliseconds) } ?? (0, 0)
  }

  func milliseconds(_ duration: Duration) -> (protobuf_c_boolean, UInt64) {
    (1, UInt64(clamping: duration.milliseconds))
  }

  func flag(_ value: Bool) -> (protobuf_c_boolean, protobuf_c_boolean) { (1, value ? 1 : 0) }
}

extension Job {
  /// Reads a job; what every job has and the message lacks is zero.
  init(decoding message: UnsafePointer<Jobbroker__Job>) throws(JobError) {
    let message = message.pointee
    guard let status = try Field("job", "status").status(message.has_status, message.status) else {
      throw Field("job", "status").missing
    }
    self.init(
      id: try Field("job", "id").jobID(message.has_id, message.id),
      type: String(message.type),
      status: status,
      progress: message.progress,
      stage: message.stage.map { String(cString: $0) },
      metadata: message.metadata.map { String(cString: $0) },
      result: message.result.map { String(cString: $0) },
      error: message.error.map { String(cString: $0) },
      retryCount: Int(message.retry_count),
      maxRetries: Int(message.max_retries),
      lostCount: Int(message.lost_count),
      maxLost: Int(message.max_lost),
      priority: message.priority,
      notBefore: Timestamp(message.has_not_before, message.not_before),
      uniqueKey: message.unique_key.map { String(cString: $0) },
      attempt: Int(message.attempt),
      worker: WorkerIdentity(message.worker),
      leaseExpiresAt: Timestamp(message.has_lease_expires_at, message.lease_expires_at),
      createdAt: Timestamp(milliseconds: message.created_at),
      updatedAt: Timestamp(milliseconds: message.updated_at),
      startedAt: Timestamp(message.has_started_at, message.started_at),
      finishedAt: Timestamp(message.has_finished_at, message.finished_at),
      history: try AttemptRecord.list(message.n_history, message.history),
      sequence: Int64(clamping: message.sequence))
  }

  /// Reads the value of a repeated field.
  static func list(
    _ count: Int, _ messages: UnsafeMutablePointer<UnsafeMutablePointer<Jobbroker__Job>?>?
  ) throws(JobError) -> [Job] {
    var jobs: [Job] = []
    jobs.reserveCapacity(count)
    for case let message? in UnsafeBufferPointer(start: messages, count: count) {
      jobs.append(try Job(decoding: message))
    }
    return jobs
  }
}

extension AttemptRecord {
  fileprivate static func list(
    _ count: Int, _ messages: UnsafeMutablePointer<UnsafeMutablePointer<Jobbroker__Attempt>?>?
  ) throws(JobError) -> [AttemptRecord] {
    var records: [AttemptRecord] = []
    for case let message? in UnsafeBufferPointer(start: messages, count: count) {
      records.append(
        AttemptRecord(
          attempt: Int(message.pointee.attempt),
          worker: WorkerIdentity(message.pointee.worker),
          startedAt: Timestamp(milliseconds: message.pointee.started_at),
          endedAt: Timestamp(milliseconds: message.pointee.ended_at),
          cause: try Field("job.history", "cause", index: records.count).cause(message.pointee.cause),
          error: message.pointee.error.map { String(cString: $0) }))
    }
    return records
  }
}

extension WorkerIdentity {
  /// Reads a holder; nil when it is absent.
  init?(_ message: UnsafePointer<Jobbroker__Holder>?) {
    guard let message = message?.pointee else { return nil }
    self.init(name: String(message.name), pid: message.pid, uid: message.uid)
  }
}

extension Timestamp {
  /// Reads a moment; nil when it is absent.
  fileprivate init?(_ isPresent: protobuf_c_boolean, _ milliseconds: Int64) {
    guard isPresent != 0 else { return nil }
    self.init(milliseconds: milliseconds)
  }
}

extension String {
  /// Reads a text; empty when it is absent.
  init(_ text: WireText) {
    self = text.map { String(cString: $0) } ?? ""
  }
}
