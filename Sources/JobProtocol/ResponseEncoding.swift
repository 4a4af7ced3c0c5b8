import CJobBrokerProto
import CProtobufC
import JobModel

/// Builds responses.
extension Arena {
  func message(_ response: Response) -> UnsafeMutablePointer<Jobbroker__Response> {
    let message = make(jobbroker__response__init)
    message.pointee.has_id = 1
    message.pointee.id = response.id
    set(response.reply, of: message)
    return message
  }

  private func set(_ reply: Reply, of message: UnsafeMutablePointer<Jobbroker__Response>) {
    func choose(_ choice: Jobbroker__Response__ReplyCase) { message.pointee.reply_case = choice }
    switch reply {
    case .error(let error):
      choose(JOBBROKER__RESPONSE__REPLY_ERROR)
      message.pointee.error = self.error(error)
    case .welcome(let welcome):
      choose(JOBBROKER__RESPONSE__REPLY_WELCOME)
      message.pointee.welcome = self.welcome(welcome)
    case .pong:
      choose(JOBBROKER__RESPONSE__REPLY_PONG)
      message.pointee.pong = make(jobbroker__pong__init)
    case .created(let entries):
      choose(JOBBROKER__RESPONSE__REPLY_CREATED)
      message.pointee.created = make(jobbroker__created__init)
      (message.pointee.created.pointee.n_jobs, message.pointee.created.pointee.jobs) =
        list(entries) { created($0) }
    case .job(let job):
      choose(JOBBROKER__RESPONSE__REPLY_JOB)
      message.pointee.job = self.job(job)
    case .jobs(let page):
      choose(JOBBROKER__RESPONSE__REPLY_JOBS)
      let list = make(jobbroker__job_list__init)
      (list.pointee.n_jobs, list.pointee.jobs) = jobs(page.jobs)
      if let cursor = page.nextCursor {
        (list.pointee.has_next_cursor, list.pointee.next_cursor) = (1, UInt64(clamping: cursor))
      }
      message.pointee.jobs = list
    case .claimed(let jobs):
      choose(JOBBROKER__RESPONSE__REPLY_CLAIMED)
      message.pointee.claimed = make(jobbroker__claimed__init)
      (message.pointee.claimed.pointee.n_jobs, message.pointee.claimed.pointee.jobs) = self.jobs(jobs)
    case .count(let count):
      choose(JOBBROKER__RESPONSE__REPLY_COUNT)
      message.pointee.count = make(jobbroker__count__init)
      (message.pointee.count.pointee.has_count, message.pointee.count.pointee.count) = total(count)
    case .position(let position):
      choose(JOBBROKER__RESPONSE__REPLY_POSITION)
      let place = make(jobbroker__queue_position__init)
      (place.pointee.has_position, place.pointee.position) = (1, Int64(position.overall))
      (place.pointee.has_position_in_type, place.pointee.position_in_type) = (1, Int64(position.inType))
      message.pointee.position = place
    case .snapshot(let jobs, let more, let truncated):
      choose(JOBBROKER__RESPONSE__REPLY_SNAPSHOT)
      let snapshot = make(jobbroker__snapshot__init)
      (snapshot.pointee.n_jobs, snapshot.pointee.jobs) = self.jobs(jobs)
      (snapshot.pointee.has_more, snapshot.pointee.more) = flag(more)
      (snapshot.pointee.has_truncated, snapshot.pointee.truncated) = flag(truncated)
      message.pointee.snapshot = snapshot
    case .event(let event):
      choose(JOBBROKER__RESPONSE__REPLY_EVENT)
      message.pointee.event = self.event(event)
    case .revoked(let revocation):
      choose(JOBBROKER__RESPONSE__REPLY_REVOKED)
      message.pointee.revoked = revoked(revocation)
    case .stats(let stats):
      choose(JOBBROKER__RESPONSE__REPLY_STATS)
      message.pointee.stats = self.stats(stats)
    case .workers(let list):
      choose(JOBBROKER__RESPONSE__REPLY_WORKERS)
      message.pointee.workers = make(jobbroker__worker_list__init)
      (message.pointee.workers.pointee.n_workers, message.pointee.workers.pointee.workers) =
        self.list(list.workers) { worker($0) }
      if list.isTruncated {
        (message.pointee.workers.pointee.has_truncated, message.pointee.workers.pointee.truncated) = flag(
          true)
      }
    case .done:
      choose(JOBBROKER__RESPONSE__REPLY_DONE)
      message.pointee.done = make(jobbroker__done__init)
    }
  }

  private func error(_ error: JobError) -> UnsafeMutablePointer<Jobbroker__Error> {
    let message = make(jobbroker__error__init)
    (message.pointee.has_code, message.pointee.code) = (1, error.code.wire)
    message.pointee.message = text(error.message)
    message.pointee.job = error.job.map { job($0) }
    return message
  }

  private func welcome(_ welcome: Welcome) -> UnsafeMutablePointer<Jobbroker__Welcome> {
    let message = make(jobbroker__welcome__init)
    (message.pointee.has_protocol_version, message.pointee.protocol_version) = (1, welcome.protocolVersion)
    message.pointee.server = text(welcome.server)
    (message.pointee.has_max_frame, message.pointee.max_frame) = number(welcome.maxFrame)
    (message.pointee.has_max_in_flight, message.pointee.max_in_flight) = number(welcome.maxInFlight)
    (message.pointee.n_features, message.pointee.features) = list(welcome.features) { text($0) }
    return message
  }

  private func created(_ entry: CreatedJob) -> UnsafeMutablePointer<Jobbroker__Created__Entry>? {
    let message = make(jobbroker__created__entry__init)
    message.pointee.job = job(entry.job)
    (message.pointee.has_created, message.pointee.created) = flag(entry.created)
    return message
  }

  private func event(_ event: JobEvent) -> UnsafeMutablePointer<Jobbroker__Event> {
    let message = make(jobbroker__event__init)
    switch event {
    case .changed(let job):
      message.pointee.change_case = JOBBROKER__EVENT__CHANGE_CHANGED
      message.pointee.changed = self.job(job)
    case .deleted(let id):
      message.pointee.change_case = JOBBROKER__EVENT__CHANGE_DELETED
      message.pointee.deleted = bytes(id)
    case .resync:
      message.pointee.change_case = JOBBROKER__EVENT__CHANGE_RESYNC
      message.pointee.resync = 1
    }
    return message
  }

  private func revoked(_ revocation: Revocation) -> UnsafeMutablePointer<Jobbroker__Revoked> {
    let message = make(jobbroker__revoked__init)
    (message.pointee.has_id, message.pointee.id) = (1, bytes(revocation.claim.id))
    (message.pointee.has_attempt, message.pointee.attempt) = number(revocation.claim.attempt)
    if let status = revocation.status {
      (message.pointee.has_status, message.pointee.status) = (1, status.wire)
    }
    message.pointee.reason = text(revocation.reason)
    return message
  }

  private func worker(_ worker: ConnectedWorker) -> UnsafeMutablePointer<Jobbroker__WorkerList__Worker>? {
    let message = make(jobbroker__worker_list__worker__init)
    message.pointee.holder = holder(worker.identity)
    message.pointee.client = text(worker.client)
    (message.pointee.has_connected_at, message.pointee.connected_at) = moment(worker.connectedAt)
    (message.pointee.has_waiting, message.pointee.waiting) = flag(worker.isWaiting)
    (message.pointee.n_waiting_types, message.pointee.waiting_types) = list(worker.waitingTypes) { text($0) }
    (message.pointee.n_holds, message.pointee.holds) = list(worker.holds) { held($0) }
    return message
  }

  private func held(_ held: ConnectedWorker.Held) -> UnsafeMutablePointer<Jobbroker__WorkerList__Held>? {
    let message = make(jobbroker__worker_list__held__init)
    (message.pointee.has_id, message.pointee.id) = (1, bytes(held.claim.id))
    (message.pointee.has_attempt, message.pointee.attempt) = number(held.claim.attempt)
    message.pointee.type = text(held.type)
    return message
  }

  private func stats(_ stats: BrokerStats) -> UnsafeMutablePointer<Jobbroker__Stats> {
    let message = make(jobbroker__stats__init)
    (message.pointee.n_types, message.pointee.types) = list(stats.types) { type($0) }
    (message.pointee.has_connections, message.pointee.connections) = total(stats.connections)
    (message.pointee.has_waiting_claims, message.pointee.waiting_claims) = total(stats.waitingClaims)
    (message.pointee.has_watches, message.pointee.watches) = total(stats.watches)
    (message.pointee.has_commits, message.pointee.commits) = total(stats.commits)
    (message.pointee.has_commands, message.pointee.commands) = total(stats.commands)
    (message.pointee.has_uptime_ms, message.pointee.uptime_ms) = milliseconds(stats.uptime)
    (message.pointee.has_cpu_us, message.pointee.cpu_us) = (1, UInt64(clamping: stats.cpu.microseconds))
    (message.pointee.has_resident_bytes, message.pointee.resident_bytes) = total(stats.residentBytes)
    message.pointee.server = text(stats.server)
    message.pointee.store = text(stats.store)
    (message.pointee.has_pid, message.pointee.pid) = (1, stats.pid)
    if stats.isTruncated { (message.pointee.has_truncated, message.pointee.truncated) = flag(true) }
    return message
  }

  private func type(_ stats: TypeStats) -> UnsafeMutablePointer<Jobbroker__Stats__Type>? {
    let message = make(jobbroker__stats__type__init)
    message.pointee.type = text(stats.type)
    (message.pointee.has_pending, message.pointee.pending) = total(stats.counts[.pending] ?? 0)
    (message.pointee.has_processing, message.pointee.processing) = total(stats.counts[.processing] ?? 0)
    (message.pointee.has_complete, message.pointee.complete) = total(stats.counts[.complete] ?? 0)
    (message.pointee.has_failed, message.pointee.failed) = total(stats.counts[.failed] ?? 0)
    (message.pointee.has_cancelled, message.pointee.cancelled) = total(stats.counts[.cancelled] ?? 0)
    (message.pointee.has_paused, message.pointee.paused) = flag(stats.isPaused)
    return message
  }

  private func total(_ value: Int) -> (protobuf_c_boolean, UInt64) { (1, UInt64(clamping: value)) }
}

extension Duration {
  /// Whole microseconds, rounded towards zero; a processor's time is far within range.
  fileprivate var microseconds: Int64 {
    components.seconds &* 1_000_000 &+ components.attoseconds / 1_000_000_000_000
  }
}
