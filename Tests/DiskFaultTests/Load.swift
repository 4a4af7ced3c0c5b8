import JobModel
import TrustSupport

/// Commands of all kinds, as many clients would mix them. They follow from the seed and from what the store answers.
struct Load {
  private var random: SeededRandom
  private var ids: [JobID]
  private var claims: [ClaimToken]
  private static let types = ["ingest", "preview", "save"]
  private static let worker = WorkerIdentity(name: "worker", pid: 1, uid: 2)

  /// - Parameter jobs: what is there already.
  init(random: SeededRandom, jobs: [Job]) {
    self.random = random
    ids = jobs.map(\.id)
    claims = jobs.filter { $0.status == .processing }.map(\.claim)
  }

  /// What the next transaction runs.
  mutating func commands(at now: Timestamp) -> [JobCommand] {
    (0...random.below(4)).map { _ in command(at: now) }
  }

  /// Takes in what came of a transaction.
  mutating func learn(_ results: [Result<JobReply, JobError>]) {
    for case .success(let reply) in results {
      switch reply {
      case .created(let created): ids += created.map(\.job.id)
      case .claimed(let jobs): claims += jobs.map(\.claim)
      default: break
      }
    }
  }

  private mutating func command(at now: Timestamp) -> JobCommand {
    switch random.below(100) {
    case ..<32: return .create((0...random.below(3)).map { _ in newJob(at: now) })
    case ..<50:
      let types = random.chance(30) ? [type()] : []
      return .claim(types: types, maxJobs: 1 + random.below(3), lease: .seconds(30), worker: Self.worker)
    case ..<66:
      guard let claim = takeClaim() else { return .promote }
      return .complete(claim.id, attempt: claim.attempt, result: #"{"n":\#(random.below(1000))}"#)
    case ..<74:
      guard let claim = takeClaim() else { return .promote }
      return .fail(claim.id, attempt: claim.attempt, error: "it broke", retryable: random.chance(50))
    case ..<77:
      guard let claim = takeClaim() else { return .promote }
      return .release(claim.id, attempt: claim.attempt, delay: .zero, reason: "not mine")
    case ..<80:
      guard let claim = takeClaim() else { return .promote }
      return .lose(claim)
    case ..<85:
      let reports = claims.map {
        HolderReport(
          claim: $0, update: JobUpdate(progress: Double(random.below(101)), stage: .set("encoding")),
          leaseExpiresAt: now + .seconds(30), heardAt: now)
      }
      return .report(reports)
    case ..<88: return .update(id(), attempt: nil, JobUpdate(progress: 7, stage: .set("by hand")))
    case ..<91: return .cancel(id())
    case ..<93: return .retry(id())
    case ..<95: return .delete(id())
    case ..<96: return .reap(before: now - .milliseconds(400), type: nil, sparing: [], limit: 100)
    case ..<97: return .prune(before: now - .milliseconds(400), status: nil, type: nil, limit: 3)
    case ..<98: return random.chance(50) ? .pause(type: type()) : .resume(type: type())
    default: return .promote
    }
  }

  private mutating func newJob(at now: Timestamp) -> NewJob {
    // Now and then one that fills several pages.
    let length = random.chance(4) ? 4000 + random.below(16_000) : 20 + random.below(400)
    return NewJob(
      id: .timeOrdered(at: now, random: (random.next(), random.next())), type: type(),
      metadata: #"{"x":"\#(String(repeating: "x", count: length))"}"#, priority: Int32(random.below(3)),
      notBefore: random.chance(10) ? now + .milliseconds(random.below(500)) : nil,
      uniqueKey: random.chance(10) ? "key \(random.below(5))" : nil)
  }

  private mutating func type() -> String { Self.types[random.below(3)] }

  /// Mostly one that there is.
  private mutating func id() -> JobID { ids.randomElement(using: &random) ?? JobID(high: 1, low: 2) }

  private mutating func takeClaim() -> ClaimToken? {
    claims.isEmpty ? nil : claims.remove(at: random.below(claims.count))
  }
}
