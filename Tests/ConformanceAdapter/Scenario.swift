import JobBrokerClient
import VectorSupport

/// The scenario of proto/vectors/conformance/README.md.
@MainActor
final class Scenario {
  private static let metadata =
    #"{"big":9007199254740993,"nested":{"list":[1,null,true,"x"]},"text":"žluťoučký 🎧 \"q\" \\"}"#

  private let producer: JobBrokerClient
  private let holder: JobBrokerClient
  private let rival: JobBrokerClient
  private let waiter: JobBrokerClient
  private let looker: JobBrokerClient
  private var lines = Lines()

  private let first = NewJob(type: "ingest", metadata: Scenario.metadata)
  private let second = NewJob(type: "preview")
  private let urgent = NewJob(type: "ingest", priority: 7, maxRetries: 0, uniqueKey: "album:1")
  private let last = NewJob(type: "save", priority: -7)
  private let late = NewJob(type: "late")

  init(socket: String) async throws {
    func client(_ name: String, isReadOnly: Bool = false) async throws -> JobBrokerClient {
      try await JobBrokerClient.connect(
        .init(socketPath: socket, workerName: name, isReadOnly: isReadOnly))
    }
    producer = try await client("producer")
    holder = try await client("holder")
    rival = try await client("rival")
    waiter = try await client("waiter")
    looker = try await client("looker", isReadOnly: true)
    lines.names = [
      first.id: "first", second.id: "second", urgent.id: "urgent", last.id: "last", late.id: "late",
    ]
  }

  func run() async throws {
    try await create()
    try await lookUp()
    let watch = try await producer.watch(WatchSelection(ids: [first.id]))
    try await next(watch)
    try await report(watch)
    try await loseAndComplete()
    try await failAndRetry()
    try await cancel(watch)
    try await list()
    try await reconnect(watch)
    try await cleanUp(watch)
    for client in [producer, holder, rival, waiter, looker] { await client.close() }
  }

  private func create() async throws {
    try await lines.created("create", producer.create([first]))
    try await lines.created("create again", producer.create([first]))
    await lines.refused("create other content") {
      try await producer.create(NewJob(id: first.id, type: "ingest"))
    }
    try await lines.created("create batch", producer.create([second, urgent, last]))
    try await lines.created(
      "unique key", producer.create([NewJob(type: "ingest", uniqueKey: "album:1")]))
    await lines.refused("bad type") { try await producer.create(NewJob(type: "")) }
    await lines.refused("bad progress") { try await producer.update(first.id, JobUpdate(progress: 101)) }
  }

  private func lookUp() async throws {
    await lines.refused("get unknown") {
      let id = JobID.timeOrdered()
      // This client says nil, which is the same.
      if try await producer.get(id) == nil { throw JobError(.notFound, "") }
    }
    await lines.refused("cancel unknown") { try await producer.cancel(.timeOrdered()) }
    for id in [first.id, second.id, urgent.id, last.id, .timeOrdered()] {
      let position = try await producer.position(id)
      lines.write(
        "position",
        [
          "name": lines.name(id), "position": .integer(Int64(position.overall)),
          "position_in_type": .integer(Int64(position.inType)),
        ])
    }
    await lines.refused("read only") { try await looker.create(NewJob(type: "ingest")) }
    try await producer.pause(type: "preview")
    let jobs = try await holder.claim(ClaimRequest(types: ["preview"]))
    lines.write("claim paused", ["jobs": .integer(Int64(jobs.count))])
    try await producer.resume(type: "preview")
  }

  private func report(_ watch: JobWatch) async throws {
    try await lines.jobs("claim", holder.claim(ClaimRequest(maxJobs: 2)), isWhole: true)
    try await next(watch)
    let downloading = JobUpdate(progress: 12.5, stage: .set("downloading 🎧"))
    try await lines.job("report", holder.update(first.id, downloading, attempt: 1))
    try await next(watch)
    let cleared = JobUpdate(progress: 0, stage: .clear)
    try await lines.job("clear stage", holder.update(first.id, cleared, attempt: 1))
    try await next(watch)
  }

  private func loseAndComplete() async throws {
    let short = ClaimRequest(types: ["preview"], lease: .milliseconds(10))
    try await lines.jobs("claim short", holder.claim(short), isWhole: true)
    let patient = ClaimRequest(types: ["preview"], wait: .seconds(30))
    try await lines.jobs("claim lost", rival.claim(patient), isWhole: true)
    await lines.refused("late completion") {
      try await holder.complete(second.id, result: #"{"late":true}"#, attempt: 1)
    }
    for step in ["complete", "complete again"] {
      try await lines.job(step, rival.complete(second.id, result: #"{"ok":true}"#, attempt: 2))
    }
    await lines.refused("complete finished") { try await producer.complete(second.id) }
  }

  private func failAndRetry() async throws {
    try await lines.job(
      "fail", holder.fail(urgent.id, error: "no such file: ä.wav", retryable: true, attempt: 1))
    try await lines.job("retry", producer.retry(urgent.id))
    await lines.refused("retry pending") { try await producer.retry(urgent.id) }
    try await lines.jobs("claim", holder.claim(ClaimRequest(types: ["ingest"])), isWhole: true)
    try await lines.job("release", holder.release(urgent.id, attempt: 2))
    try await lines.jobs("claim", holder.claim(ClaimRequest(types: ["save"])), isWhole: true)
    try await lines.job(
      "fail retryable", holder.fail(last.id, error: "busy", retryable: true, attempt: 1))
  }

  private func cancel(_ watch: JobWatch) async throws {
    try await lines.job("cancel", producer.cancel(last.id))
    try await lines.job("cancel", producer.cancel(first.id))
    for await revocation in holder.revocations(of: ClaimToken(id: first.id, attempt: 1)) {
      lines.write(
        "revoked",
        [
          "attempt": .integer(Int64(revocation.claim.attempt)), "name": lines.name(revocation.claim.id),
          "status": .string(revocation.status?.rawValue.uppercased() ?? ""),
        ])
    }
    try await next(watch)
    await lines.refused("complete cancelled") { try await holder.complete(first.id, attempt: 1) }
    try await lines.job("cancel again", producer.cancel(first.id))
  }

  private func list() async throws {
    for id in [first.id, second.id] {
      guard let job = try await producer.get(id) else { throw Failure("\(id) is gone") }
      lines.job("get", job, isWhole: true)
      lines.history(of: job)
    }
    try await list(JobFilter(limit: 3))
    try await list(JobFilter(status: .complete, type: "preview"))
    let stats = try await producer.stats().types.first { $0.type == "ingest" }
    var members: [String: JSON] = ["paused": .bool(stats?.isPaused == true)]
    for status in JobStatus.allCases {
      members[status.rawValue] = .integer(Int64(stats?.counts[status] ?? 0))
    }
    lines.write("stats", .object(members))
    try await lines.jobs("claim", holder.claim(ClaimRequest(types: ["ingest"])), isWhole: true)
    let held = try await producer.workers().workers.first { $0.identity.name == "holder" }?.holds ?? []
    lines.names("workers", held.map(\.claim.id))
  }

  private func list(_ filter: JobFilter) async throws {
    var filter = filter
    var ids: [JobID] = []
    repeat {
      let page = try await producer.list(filter)
      ids += page.jobs.map(\.id)
      filter.cursor = page.nextCursor
    } while filter.cursor != nil
    lines.names("list", ids)
  }

  private func reconnect(_ watch: JobWatch) async throws {
    let claimed = Task { [waiter] in
      try await waiter.claim(ClaimRequest(types: ["late"], wait: .seconds(60)))
    }
    while try await producer.stats().waitingClaims == 0 {}
    lines.write("restart", [:])
    guard readLine() != nil else { throw Failure("nobody restarted the broker") }
    try await lines.job("kept", holder.update(urgent.id, JobUpdate(progress: 80), attempt: 3))
    try await lines.created("create", producer.create([late]))
    try await lines.jobs("claim survived", claimed.value, isWhole: true)
    try await next(watch)
    try await lines.job("complete", holder.complete(urgent.id, result: "{}", attempt: 3))
    try await lines.job("fail", waiter.fail(late.id, error: "gone", attempt: 1))
  }

  private func cleanUp(_ watch: JobWatch) async throws {
    try await producer.delete(first.id)
    try await next(watch)
    try await list(JobFilter())
    try await lines.write("reap", ["count": .integer(Int64(producer.reap(timeout: .zero)))])
    try await lines.write("prune", ["count": .integer(Int64(producer.prune(olderThan: .zero)))])
  }

  /// Reads a watch up to the next news.
  private func next(_ watch: JobWatch) async throws {
    for try await event in watch {
      switch event {
      case .snapshot(let jobs, _): return lines.names("snapshot", jobs.map(\.id))
      case .changed(let job): return lines.job("event", job)
      case .deleted(let id): return lines.write("deleted", ["name": lines.name(id)])
      case .interrupted: continue
      }
    }
  }
}
