import JobModel
import StoreModel
import TrustSupport

@testable import BrokerCore

/// Claims jobs and finishes them, dies, stands still, comes back late, and says things twice.
final class Worker: Client {
  /// The claims it believes to hold.
  private var holds: [ClaimToken] = []
  /// What it said to end a claim, until that is answered.
  private var endings: [(claim: ClaimToken, operation: JobModel.Operation)] = []
  private var claiming: UInt64?
  /// What its unanswered requests are about.
  private var asked: [UInt64: ClaimToken] = [:]

  override func act(isCalm: Bool) {
    guard link != nil else { return connect() }
    if isCalm { return work() }
    switch simulation.random.below(100) {
    case 0..<35:
      if let claiming { withdraw(claiming) } else if holds.count < 3 { claim() }
    case 35..<60: if let claim = randomClaim() { report(claim) }
    case 60..<82: if let claim = randomClaim() { end(claim, with: randomEnding(of: claim)) }
    case 82..<87: for ending in endings { say(ending.operation, about: ending.claim) }
    case 87..<92: disconnect()
    case 92..<95:
      simulation.auditor.saw("worker crashed")
      crash()
    default:
      simulation.auditor.saw("worker stood still")
      asleepUntil = simulation.now.steady + .seconds(1 + simulation.random.below(30))
    }
  }

  /// Gets done what there is to do.
  private func work() {
    for ending in endings { say(ending.operation, about: ending.claim) }
    for claim in holds { end(claim, with: .complete(claim.id, attempt: claim.attempt, result: nil)) }
    if claiming == nil { claiming = send(.claim(ClaimRequest(maxJobs: 2, wait: .seconds(60)))) }
  }

  override func connected() {
    for claim in holds { report(claim) }
    for ending in endings { say(ending.operation, about: ending.claim) }
  }

  override func disconnected() {
    claiming = nil
    asked = [:]
  }

  override func crashed() {
    holds = []
    endings = []
  }

  override func receive(_ id: UInt64, _ reply: Reply) {
    if case .revoked(let revocation) = reply { holds.removeAll { $0 == revocation.claim } }
    if id == claiming {
      claiming = nil
      if case .claimed(let jobs) = reply { holds += jobs.map(\.claim) }
    }
    guard let claim = asked.removeValue(forKey: id) else { return }
    let isEnding = endings.contains { $0.claim == claim }
    switch reply {
    case .job(let job):
      guard isEnding else { return }
      if job.status.isFinished { simulation.auditor.toldFinished(job.id, job.status) }
    case .error(let error) where error.code == .unavailable:
      if !isEnding { report(claim) }
      return
    case .error: holds.removeAll { $0 == claim }
    default: return
    }
    endings.removeAll { $0.claim == claim }
  }

  override func rule(brokenIn store: ModelStore, _ core: BrokerCore) -> String? {
    guard link != nil, simulation.now.steady >= asleepUntil else { return nil }
    for claim in holds
    where store.jobs[claim.id]?.status != .processing || store.jobs[claim.id]?.claim != claim {
      return "was not told that it lost \(claim)"
    }
    return nil
  }

  private func randomClaim() -> ClaimToken? { holds.isEmpty ? nil : simulation.random.pick(holds) }

  private func claim() {
    let types = Simulation.types.filter { _ in simulation.random.chance(50) }
    let wait = simulation.random.pick([Duration.zero, .seconds(5), .seconds(20), .seconds(20)])
    let lease = simulation.random.pick([Duration.seconds(2), .seconds(10)])
    let maxJobs = simulation.random.pick([1, 1, 2])
    claiming = send(.claim(ClaimRequest(types: types, maxJobs: maxJobs, wait: wait, lease: lease)))
  }

  private func withdraw(_ claim: UInt64) {
    if simulation.random.chance(20) { send(.withdraw(id: claim)) }
  }

  private func report(_ claim: ClaimToken) {
    var update = JobUpdate()
    if simulation.random.chance(60) { update.progress = Double(simulation.random.below(100)) }
    if simulation.random.chance(30) {
      update.stage = simulation.random.pick([.clear, .set("mix"), .set("cut")])
    }
    if simulation.random.chance(15) { update.retryCount = 0 }
    say(.update(claim.id, attempt: claim.attempt, update), about: claim)
  }

  private func randomEnding(of claim: ClaimToken) -> JobModel.Operation {
    let (id, attempt) = (claim.id, claim.attempt)
    switch simulation.random.below(10) {
    case 0..<5: return .complete(id, attempt: attempt, result: nil)
    case 5..<7: return .fail(id, attempt: attempt, error: "tried", retryable: true)
    case 7: return .fail(id, attempt: attempt, error: "tried", retryable: false)
    case 8: return .update(id, attempt: attempt, JobUpdate(status: .complete))
    default: return .release(id, attempt: attempt, delay: .zero)
    }
  }

  private func end(_ claim: ClaimToken, with operation: JobModel.Operation) {
    holds.removeAll { $0 == claim }
    endings.append((claim, operation))
    say(operation, about: claim)
  }

  private func say(_ operation: JobModel.Operation, about claim: ClaimToken) {
    asked[send(operation)] = claim
  }
}
