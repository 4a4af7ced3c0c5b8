import CJobBrokerProto
import CProtobufC
import JobModel

/// Builds requests. A number below 0 is sent as 0, which the broker refuses where it makes no sense.
extension Arena {
  func message(_ request: Request) -> UnsafeMutablePointer<Jobbroker__Request> {
    let message = make(jobbroker__request__init)
    message.pointee.has_id = 1
    message.pointee.id = request.id
    set(request.operation, of: message)
    return message
  }

  private func set(_ operation: Operation, of message: UnsafeMutablePointer<Jobbroker__Request>) {
    func choose(_ choice: Jobbroker__Request__OperationCase) { message.pointee.operation_case = choice }
    switch operation {
    case .hello(let hello):
      choose(JOBBROKER__REQUEST__OPERATION_HELLO)
      message.pointee.hello = self.hello(hello)
    case .ping:
      choose(JOBBROKER__REQUEST__OPERATION_PING)
      message.pointee.ping = make(jobbroker__ping__init)
    case .create(let jobs):
      choose(JOBBROKER__REQUEST__OPERATION_CREATE)
      message.pointee.create = make(jobbroker__create__init)
      (message.pointee.create.pointee.n_jobs, message.pointee.create.pointee.jobs) = list(jobs) { newJob($0) }
    case .get(let id):
      choose(JOBBROKER__REQUEST__OPERATION_GET)
      message.pointee.get = make(jobbroker__get__init)
      message.pointee.get.pointee.has_id = 1
      message.pointee.get.pointee.id = bytes(id)
    case .list(let filter):
      choose(JOBBROKER__REQUEST__OPERATION_LIST)
      message.pointee.list = self.list(filter)
    case .update(let id, let attempt, let update):
      choose(JOBBROKER__REQUEST__OPERATION_UPDATE)
      message.pointee.update = self.update(id, attempt, update)
    case .complete(let id, let attempt, let result):
      choose(JOBBROKER__REQUEST__OPERATION_COMPLETE)
      let complete = make(jobbroker__complete__init)
      complete.pointee.has_id = 1
      complete.pointee.id = bytes(id)
      (complete.pointee.has_attempt, complete.pointee.attempt) = number(attempt)
      complete.pointee.result = text(result)
      message.pointee.complete = complete
    case .fail(let id, let attempt, let error, let retryable):
      choose(JOBBROKER__REQUEST__OPERATION_FAIL)
      let fail = make(jobbroker__fail__init)
      fail.pointee.has_id = 1
      fail.pointee.id = bytes(id)
      (fail.pointee.has_attempt, fail.pointee.attempt) = number(attempt)
      fail.pointee.error = text(error)
      (fail.pointee.has_retryable, fail.pointee.retryable) = flag(retryable)
      message.pointee.fail = fail
    case .release(let id, let attempt, let delay):
      choose(JOBBROKER__REQUEST__OPERATION_RELEASE)
      let release = make(jobbroker__release__init)
      release.pointee.has_id = 1
      release.pointee.id = bytes(id)
      (release.pointee.has_attempt, release.pointee.attempt) = number(attempt)
      (release.pointee.has_delay_ms, release.pointee.delay_ms) = milliseconds(delay)
      message.pointee.release = release
    case .cancel(let id):
      choose(JOBBROKER__REQUEST__OPERATION_CANCEL)
      message.pointee.cancel = make(jobbroker__cancel__init)
      message.pointee.cancel.pointee.has_id = 1
      message.pointee.cancel.pointee.id = bytes(id)
    case .retry(let id):
      choose(JOBBROKER__REQUEST__OPERATION_RETRY)
      message.pointee.retry = make(jobbroker__retry__init)
      message.pointee.retry.pointee.has_id = 1
      message.pointee.retry.pointee.id = bytes(id)
    case .delete(let id):
      choose(JOBBROKER__REQUEST__OPERATION_DELETE)
      message.pointee.delete_ = make(jobbroker__delete__init)
      message.pointee.delete_.pointee.has_id = 1
      message.pointee.delete_.pointee.id = bytes(id)
    case .claim(let claim):
      choose(JOBBROKER__REQUEST__OPERATION_CLAIM)
      message.pointee.claim = self.claim(claim)
    case .reap(let timeout, let type):
      choose(JOBBROKER__REQUEST__OPERATION_REAP)
      let reap = make(jobbroker__reap__init)
      (reap.pointee.has_timeout_ms, reap.pointee.timeout_ms) = milliseconds(timeout)
      reap.pointee.type = text(type)
      message.pointee.reap = reap
    case .position(let id):
      choose(JOBBROKER__REQUEST__OPERATION_POSITION)
      message.pointee.position = make(jobbroker__position__init)
      message.pointee.position.pointee.has_id = 1
      message.pointee.position.pointee.id = bytes(id)
    case .watch(let selection):
      choose(JOBBROKER__REQUEST__OPERATION_WATCH)
      let watch = make(jobbroker__watch__init)
      (watch.pointee.n_ids, watch.pointee.ids) = list(selection.ids) { bytes($0) }
      (watch.pointee.n_types, watch.pointee.types) = list(selection.types) { text($0.text) }
      message.pointee.watch = watch
    case .unwatch(let id):
      choose(JOBBROKER__REQUEST__OPERATION_UNWATCH)
      message.pointee.unwatch = make(jobbroker__unwatch__init)
      message.pointee.unwatch.pointee.has_watch_id = 1
      message.pointee.unwatch.pointee.watch_id = id
    case .withdraw(let id):
      choose(JOBBROKER__REQUEST__OPERATION_WITHDRAW)
      message.pointee.withdraw = make(jobbroker__withdraw__init)
      message.pointee.withdraw.pointee.has_claim_id = 1
      message.pointee.withdraw.pointee.claim_id = id
    case .stats:
      choose(JOBBROKER__REQUEST__OPERATION_STATS)
      message.pointee.stats = make(jobbroker__get_stats__init)
    case .workers:
      choose(JOBBROKER__REQUEST__OPERATION_WORKERS)
      message.pointee.workers = make(jobbroker__list_workers__init)
    case .pause(let type):
      choose(JOBBROKER__REQUEST__OPERATION_PAUSE)
      message.pointee.pause = make(jobbroker__pause__init)
      message.pointee.pause.pointee.type = text(type)
    case .resume(let type):
      choose(JOBBROKER__REQUEST__OPERATION_RESUME)
      message.pointee.resume = make(jobbroker__resume__init)
      message.pointee.resume.pointee.type = text(type)
    case .prune(let age, let status, let type):
      choose(JOBBROKER__REQUEST__OPERATION_PRUNE)
      let prune = make(jobbroker__prune__init)
      (prune.pointee.has_older_than_ms, prune.pointee.older_than_ms) = milliseconds(age)
      if let status { (prune.pointee.has_status, prune.pointee.status) = (1, status.wire) }
      prune.pointee.type = text(type)
      message.pointee.prune = prune
    case .backup(let path):
      choose(JOBBROKER__REQUEST__OPERATION_BACKUP)
      message.pointee.backup = make(jobbroker__backup__init)
      message.pointee.backup.pointee.path = text(path)
    }
  }

  private func hello(_ hello: Hello) -> UnsafeMutablePointer<Jobbroker__Hello> {
    let message = make(jobbroker__hello__init)
    (message.pointee.has_protocol_version, message.pointee.protocol_version) = (1, hello.protocolVersion)
    message.pointee.client = text(hello.client)
    message.pointee.worker_name = text(hello.workerName)
    (message.pointee.has_read_only, message.pointee.read_only) = flag(hello.readOnly)
    return message
  }

  private func newJob(_ job: NewJob) -> UnsafeMutablePointer<Jobbroker__NewJob>? {
    let message = make(jobbroker__new_job__init)
    (message.pointee.has_id, message.pointee.id) = (1, bytes(job.id))
    message.pointee.type = text(job.type)
    message.pointee.metadata = text(job.metadata)
    (message.pointee.has_priority, message.pointee.priority) = (1, job.priority)
    (message.pointee.has_max_retries, message.pointee.max_retries) = number(job.maxRetries)
    (message.pointee.has_max_lost, message.pointee.max_lost) = number(job.maxLost)
    (message.pointee.has_not_before, message.pointee.not_before) = moment(job.notBefore)
    message.pointee.unique_key = text(job.uniqueKey)
    return message
  }

  private func list(_ filter: JobFilter) -> UnsafeMutablePointer<Jobbroker__List> {
    let message = make(jobbroker__list__init)
    if let status = filter.status { (message.pointee.has_status, message.pointee.status) = (1, status.wire) }
    message.pointee.type = text(filter.type)
    (message.pointee.has_limit, message.pointee.limit) = number(filter.limit)
    if let cursor = filter.cursor {
      (message.pointee.has_cursor, message.pointee.cursor) = (1, UInt64(clamping: cursor))
    }
    message.pointee.id_prefix = text(filter.idPrefix)
    return message
  }

  private func update(
    _ id: JobID, _ attempt: Int?, _ update: JobUpdate
  ) -> UnsafeMutablePointer<Jobbroker__Update> {
    let message = make(jobbroker__update__init)
    (message.pointee.has_id, message.pointee.id) = (1, bytes(id))
    (message.pointee.has_attempt, message.pointee.attempt) = number(attempt)
    if let status = update.status { (message.pointee.has_status, message.pointee.status) = (1, status.wire) }
    if let progress = update.progress {
      (message.pointee.has_progress, message.pointee.progress) = (1, progress)
    }
    switch update.stage {
    case .keep: break
    case .clear: (message.pointee.has_clear_stage, message.pointee.clear_stage) = (1, 1)
    case .set(let stage): message.pointee.stage = text(stage)
    }
    message.pointee.result = text(update.result)
    message.pointee.error = text(update.error)
    (message.pointee.has_retry_count, message.pointee.retry_count) = number(update.retryCount)
    return message
  }

  private func claim(_ claim: ClaimRequest) -> UnsafeMutablePointer<Jobbroker__Claim> {
    let message = make(jobbroker__claim__init)
    (message.pointee.n_types, message.pointee.types) = list(claim.types) { text($0) }
    (message.pointee.has_max_jobs, message.pointee.max_jobs) = number(claim.maxJobs)
    (message.pointee.has_wait_ms, message.pointee.wait_ms) = milliseconds(claim.wait)
    (message.pointee.has_lease_ms, message.pointee.lease_ms) = milliseconds(claim.lease)
    return message
  }
}
