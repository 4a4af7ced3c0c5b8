import JobModel

extension BrokerCore {
  /// A request arrived.
  public mutating func receive(_ operation: Operation, _ key: RequestKey, at now: Moment) {
    guard let session = sessions[key.connection] else { return }
    if case .hello(let hello) = operation { return greet(hello, key, session) }
    guard session.hello != nil else {
      refuse(key, JobError(.invalidArgument, "The first request of a connection must be hello."))
      actions.append(.close(key.connection))
      return
    }
    if let refusal = refusal(of: operation, session) { return refuse(key, refusal) }
    switch operation {
    case .hello: break
    case .ping: respond(key, .pong)
    case .create(let jobs): create(jobs, key)
    case .update(let id, let attempt, let update): self.update(id, attempt, update, key, now)
    case .complete(let id, let attempt, let result):
      change(.complete(id, attempt: attempt, result: result), key, isFenced: attempt != nil)
    case .fail(let id, let attempt, let error, let retryable):
      change(.fail(id, attempt: attempt, error: error, retryable: retryable), key, isFenced: attempt != nil)
    case .release(let id, let attempt, let delay):
      change(.release(id, attempt: attempt, delay: delay, reason: nil), key, isFenced: attempt != nil)
    case .cancel(let id): change(.cancel(id), key)
    case .retry(let id): change(.retry(id), key)
    case .delete(let id): change(.delete(id), key)
    case .reap(let timeout, let type): reap(Reap(timeout: timeout, type: type, key: key, askedAt: now))
    case .claim(let request):
      send(queue.admit(request, key: key, worker: session.worker, now: now.steady))
    case .withdraw(let id): withdraw(RequestKey(connection: key.connection, id: id), key)
    case .watch(let selection): watch(selection, key)
    case .unwatch(let id): unwatch(RequestKey(connection: key.connection, id: id), key)
    case .workers: respond(key, .workers(WorkerList(workers: connectedWorkers())))
    case .pause(let type): submit(.pause(type: type), for: .pause(key, type: type))
    case .resume(let type): submit(.resume(type: type), for: .resume(key, type: type))
    case .prune(let age, let status, let type):
      let command = JobCommand.prune(
        before: now.wall.reachedBack(by: age), status: status, type: type, limit: configuration.sweepBatch)
      submit(command, for: .prune(key, soFar: 0))
    case .get(let id): actions.append(.query(key, .get(id)))
    case .list(let filter): actions.append(.query(key, .list(filter)))
    case .position(let id): actions.append(.query(key, .position(id)))
    case .stats: actions.append(.query(key, .stats))
    case .backup(let path): actions.append(.query(key, .backup(path: path)))
    }
  }

  private mutating func greet(_ hello: Hello, _ key: RequestKey, _ session: Session) {
    guard session.hello == nil else {
      return refuse(key, JobError(.invalidArgument, "This connection has said hello already."))
    }
    guard hello.protocolVersion == Hello.currentVersion else {
      let message =
        "Protocol version \(hello.protocolVersion) is not spoken here; this broker speaks version \(Hello.currentVersion)."
      refuse(key, JobError(.unsupported, message))
      actions.append(.close(key.connection))
      return
    }
    if isDraining { return refuse(key, BrokerCore.draining) }
    sessions[key.connection]?.hello = hello
    respond(key, .welcome(Welcome(server: configuration.server)))
  }

  private func refusal(of operation: Operation, _ session: Session) -> JobError? {
    if isDraining { return BrokerCore.draining }
    if session.hello?.readOnly == true, operation.isChange {
      return JobError(
        .permissionDenied, "This connection said hello with read_only; connect without it to change jobs.")
    }
    if operation.isForOperators, !session.peer.isOperator {
      return JobError(
        .permissionDenied,
        "Only the broker's own user, root or an operator group may do that; your uid is \(session.peer.uid).")
    }
    return nil
  }

  private mutating func create(_ jobs: [NewJob], _ key: RequestKey) {
    flushReports()
    submit(.create(jobs), for: .create(key))
    // The claims that wait for these jobs ride in the same transaction, right behind. Whether a job with a moment
    // must wait for it is the store's to say.
    // Nearly every create has one job, which needs no table of types.
    if jobs.count == 1 {
      if jobs[0].notBefore == nil { signal(type: jobs[0].type) }
      return
    }
    var ready: [TypeName: Int] = [:]
    for job in jobs where job.notBefore == nil { ready[TypeName(job.type), default: 0] += 1 }
    for (type, count) in ready.sorted(by: { $0.key < $1.key }) { signal(type: type.text, count: count) }
  }

  private mutating func change(_ command: JobCommand, _ key: RequestKey, isFenced: Bool = false) {
    flushReports()
    submit(command, for: .request(key, isFenced: isFenced))
  }

  private mutating func update(
    _ id: JobID, _ attempt: Int?, _ update: JobUpdate, _ key: RequestKey, _ now: Moment
  ) {
    if let attempt {
      leases.hear(ClaimToken(id: id, attempt: attempt), from: key.connection, now: now.steady)
    }
    guard update.isReport,
      let job = leases.report(id, attempt: attempt, update, from: key.connection, now: now)
    else {
      return change(.update(id, attempt: attempt, update), key, isFenced: attempt != nil)
    }
    publish(job)
    respond(key, .job(job.outline))
  }

  private mutating func withdraw(_ claim: RequestKey, _ key: RequestKey) {
    if let waiting = queue.withdraw(claim) { answer(waiting, with: []) }
    respond(key, .done)
  }

  private mutating func watch(_ selection: WatchSelection, _ key: RequestKey) {
    guard watches.count(of: key.connection) < configuration.watchesPerConnection else {
      let message =
        "A connection may have \(configuration.watchesPerConnection) watches; end one with unwatch."
      return refuse(key, JobError(.resourceExhausted, message))
    }
    guard watches.insert(key, selection) else {
      let message = "Request \(key.id) is a watch of this connection; use another id, or end it with unwatch."
      return refuse(key, JobError(.invalidArgument, message))
    }
    waitingWatches.append((key, selection))
    takeSnapshots()
  }

  /// Takes the snapshots whose turn it is.
  mutating func takeSnapshots() {
    while snapshotsUnderWay < configuration.snapshotsUnderWay, let watch = waitingWatches.popFirst() {
      guard sessions[watch.key.connection] != nil else { continue }
      snapshotsUnderWay += 1
      flushReports()
      submit(.snapshot(watch.selection, limit: Limits.snapshot), for: .watch(watch.key), isVolatile: true)
    }
  }

  private mutating func unwatch(_ watch: RequestKey, _ key: RequestKey) {
    guard watches.remove(watch) else {
      return refuse(key, JobError(.notFound, "This connection has no watch \(watch.id)."))
    }
    respond(key, .done)
  }

  private func connectedWorkers() -> [ConnectedWorker] {
    var held: [ConnectionID: [ConnectedWorker.Held]] = [:]
    for lease in leases.all {
      guard let holder = lease.holder else { continue }
      held[holder, default: []].append(.init(claim: lease.job.claim, type: lease.job.type))
    }
    var waiting: [ConnectionID: [String]] = [:]
    for claim in queue.claims { waiting[claim.key.connection, default: []] += claim.request.types }
    return sessions.sorted { $0.key.number < $1.key.number }.map { connection, session in
      ConnectedWorker(
        identity: session.worker, client: session.hello?.client ?? "", connectedAt: session.connectedAt,
        isWaiting: waiting[connection] != nil, waitingTypes: waiting[connection] ?? [],
        holds: (held[connection] ?? []).sorted { $0.claim.id < $1.claim.id })
    }
  }
}

extension Operation {
  /// Whether it changes anything.
  var isChange: Bool {
    switch self {
    case .hello, .ping, .get, .list, .position, .watch, .unwatch, .withdraw, .stats, .workers: false
    case .create, .update, .complete, .fail, .release, .cancel, .retry, .delete, .claim, .reap, .pause,
      .resume,
      .prune, .backup:
      true
    }
  }

  /// Whether only operators may ask it.
  var isForOperators: Bool {
    switch self {
    case .pause, .resume, .prune, .backup, .reap, .delete: true
    default: false
    }
  }
}

extension Job {
  /// The job without what would keep a thousand of them from fitting a frame.
  var withoutTexts: Job {
    var job = outline
    job.error = nil
    job.stage = nil
    return job
  }
}

extension Timestamp {
  /// What is before this is at least `age` old; commands take their cutoffs as the first moment that is too late.
  func reachedBack(by age: Duration) -> Timestamp { self - age + .milliseconds(1) }
}
