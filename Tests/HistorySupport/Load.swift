import Foundation
import JobBrokerClient
import TrustSupport

/// Random operations of one process on the jobs of one round, in several tasks, each told to `record`.
package actor Load {
  /// What holders ask for, by how often.
  private static let ofHolders = [
    RecordedOperation.Kind.complete, .complete, .complete, .fail, .failRetryable, .release, .release, .report,
  ]

  private let client: Int
  private let socket: String
  private let round: Int
  private let jobs: Int
  private let connections: [Connections]
  private let record: @Sendable (RecordedOperation) -> Void
  /// Every claim this process ever had, the latest last: some of them are no longer valid.
  private var claims: [ClaimToken] = []
  private var asked = 0

  /// - Parameter waitsForBroker: whether a broker that is gone is waited for; else the load ends with it.
  package init(
    client: Int, round: Int, jobs: Int, socket: String, waitsForBroker: Bool,
    record: @escaping @Sendable (RecordedOperation) -> Void
  ) {
    self.client = client
    self.socket = socket
    self.round = round
    self.jobs = jobs
    self.record = record
    connections = (0..<2).map {
      Connections(to: socket, name: "client \(client).\($0)", waitsForBroker: waitsForBroker)
    }
  }

  /// Does that many operations in each task.
  ///
  /// - Parameter stalling: what happens with the first claim of the first task before it is completed.
  package func run(
    tasks: Int, operations: Int = .max, seed: UInt64, stalling: (@Sendable (ClaimToken) async -> Void)? = nil
  ) async {
    await withTaskGroup(of: Void.self) { group in
      for task in 0..<tasks {
        var random = SeededRandom(seed: seed &+ UInt64(task))
        let connections = connections[task % connections.count]
        group.addTask {
          var stalling = task == 0 ? stalling : nil
          for _ in 0..<operations {
            guard let client = await connections.client() else { return }
            let step = Step(client: client, connections: connections)
            if let stall = stalling, let claim = await self.claimToStall(by: step) {
              stalling = nil
              await stall(claim)
              guard let client = await connections.client() else { return }
              let step = Step(client: client, connections: connections)
              await self.change(.complete, claim.id, attempt: claim.attempt, isLate: true, by: step)
            } else {
              await self.act(by: step, &random)
            }
          }
        }
      }
    }
    for connection in connections { await connection.cut() }
  }

  /// What one operation is sent through.
  private struct Step {
    var client: JobBrokerClient
    var connections: Connections
  }

  private func act(by step: Step, _ random: inout SeededRandom) async {
    let job = random.below(jobs)
    let id = HistoryJob.id(job, round: round)
    switch random.below(100) {
    case 0..<12: await create([job], by: step)
    case 12..<15: await create((0..<3).map { (job + $0) % jobs }, by: step)
    case 15..<38:
      let lease = random.pick([Duration.milliseconds(30), .seconds(1), .seconds(30)])
      await claim(lease: lease, maxJobs: random.pick([1, 1, 2]), by: step)
    case 38..<68:
      guard let last = claims.last else { break }
      let claim = random.chance(50) ? last : random.pick(claims)
      await change(random.pick(Self.ofHolders), claim.id, attempt: claim.attempt, by: step)
    case 68..<73: await change(.cancel, id, by: step)
    case 73..<80: await change(.retry, id, by: step)
    case 80..<82: await change(.delete, id, by: step)
    case 82..<90: await change(random.pick([.complete, .release, .fail, .report]), id, by: step)
    case 90..<96: await change(.get, id, by: step)
    case 96: await sweep(.reap, by: step)
    case 97: await sweep(.prune, by: step)
    case 98: await look(by: step)
    default: await step.connections.cut()
    }
  }

  private func claimToStall(by step: Step) async -> ClaimToken? {
    await claim(lease: .milliseconds(60), maxJobs: 1, by: step)
  }

  // MARK: Asking

  private func create(_ numbers: [Int], by step: Step) async {
    let jobs = numbers.map { HistoryJob.new($0, round: round) }
    let records = jobs.map { RecordedOperation(.create, job: "\($0.id)", client: client) }
    await ask(records, by: step) { client throws(JobError) in
      let created = try await client.create(jobs)
      return zip(records, created).map { record, created in
        var record = record
        if record.job != "\(created.job.id)" {
          // Another job has the unique key: nothing was made, but that one was seen.
          record.kind = .seenByKey
          record.job = "\(created.job.id)"
        }
        record.reply = SeenReply(code: "OK", job: created.job, created: created.created)
        return record
      }
    }
  }

  @discardableResult
  private func claim(lease: Duration, maxJobs: Int, by step: Step) async -> ClaimToken? {
    let request = ClaimRequest(
      types: [HistoryJob.type(ofRound: round)], maxJobs: maxJobs, wait: .milliseconds(20), lease: lease)
    // A claim of two jobs that is not answered may have taken two.
    let unanswered = (0..<maxJobs).map { _ in RecordedOperation(.claim, job: nil, client: client) }
    var claimed: [ClaimToken] = []
    await ask(unanswered, by: step) { client throws(JobError) in
      let jobs = try await client.claim(request)
      claimed = jobs.map(\.claim)
      return jobs.map { job in
        var record = unanswered[0]
        record.job = "\(job.id)"
        record.reply = SeenReply(code: "OK", job: job)
        return record
      }
    }
    claims += claimed
    return claimed.first
  }

  private func change(
    _ kind: RecordedOperation.Kind, _ id: JobID, attempt: Int? = nil, isLate: Bool = false, by step: Step
  ) async {
    asked += 1
    let result = #"{"by":"\#(client).\#(asked)"}"#
    var record = RecordedOperation(
      kind, job: "\(id)", attempt: attempt, result: kind == .complete ? result : nil, client: client)
    record.isLate = isLate
    await ask([record], by: step) { client throws(JobError) in
      var record = record
      record.reply = try await Self.reply(of: client, to: kind, id, attempt, result)
      return [record]
    }
  }

  private static func reply(
    of client: JobBrokerClient, to kind: RecordedOperation.Kind, _ id: JobID, _ attempt: Int?,
    _ result: String
  ) async throws(JobError) -> SeenReply {
    switch kind {
    case .delete:
      try await client.delete(id)
      return SeenReply(code: "OK")
    case .get:
      guard let job = try await client.get(id) else { return SeenReply(code: "NOT_FOUND") }
      return SeenReply(code: "OK", job: job, result: job.result)
    case .complete:
      return SeenReply(code: "OK", job: try await client.complete(id, result: result, attempt: attempt))
    case .fail, .failRetryable:
      let job = try await client.fail(id, error: "tried", retryable: kind == .failRetryable, attempt: attempt)
      return SeenReply(code: "OK", job: job)
    case .release: return SeenReply(code: "OK", job: try await client.release(id, attempt: attempt))
    case .report:
      let update = JobUpdate(progress: 50, stage: .set("half"))
      return SeenReply(code: "OK", job: try await client.update(id, update, attempt: attempt))
    case .cancel: return SeenReply(code: "OK", job: try await client.cancel(id))
    case .retry: return SeenReply(code: "OK", job: try await client.retry(id))
    case .create, .claim, .seenByKey, .reap, .prune, .look:
      preconditionFailure("\(kind) is no change of one job")
    }
  }

  /// An operator's sweep: it may meet any job of the round, and does not say which.
  private func sweep(_ kind: RecordedOperation.Kind, by step: Step) async {
    let type = HistoryJob.type(ofRound: round)
    let record = RecordedOperation(kind, job: nil, client: client)
    await ask([record], by: step) { client throws(JobError) in
      let count =
        kind == .reap
        ? try await client.reap(timeout: .milliseconds(100), type: type)
        : try await client.prune(olderThan: .milliseconds(100), type: type)
      var record = record
      record.reply = SeenReply(code: "OK")
      record.reply?.attempt = count
      return [record]
    }
  }

  /// The operations that change nothing and show no single job's state, and a pause that holds up only this.
  private func look(by step: Step) async {
    asked += 1
    let copy = "\(socket).copy.\(client).\(asked)"
    let (type, round) = (HistoryJob.type(ofRound: round), round)
    let record = RecordedOperation(.look, job: nil, client: client)
    await ask([record], by: step) { client throws(JobError) in
      try await client.ping()
      _ = try await client.list(JobFilter(type: type, limit: 5))
      _ = try await client.position(HistoryJob.id(0, round: round))
      _ = try await client.stats()
      _ = try await client.workers()
      try await client.pause(type: type)
      try await client.resume(type: type)
      var watch = try await client.watch(WatchSelection(types: [TypeName(type)])).makeAsyncIterator()
      _ = try await watch.next()
      try await client.backup(to: copy)
      try? FileManager.default.removeItem(atPath: copy)
      var record = record
      record.reply = SeenReply(code: "OK")
      return [record]
    }
  }

  /// Asks, and records the answers. An answer that is no is an answer; a lost connection is none.
  private func ask(
    _ records: [RecordedOperation], by step: Step,
    _ question: (JobBrokerClient) async throws(JobError) -> [RecordedOperation]
  ) async {
    do throws(JobError) {
      let answered = try await question(step.client)
      let end = RecordedOperation.now
      for var answer in answered {
        answer.end = end
        record(answer)
      }
    } catch {
      if [.unavailable, .unknownOutcome].contains(error.code) {
        for record in records { self.record(record) }
        await step.connections.leave(step.client)
      } else {
        for var refused in records where refused.job != nil {
          refused.end = RecordedOperation.now
          refused.reply = SeenReply(error)
          record(refused)
        }
      }
    }
  }
}
