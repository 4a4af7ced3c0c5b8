import JobModel
import StoreModel
import TrustSupport

@testable import BrokerCore

/// Follows jobs and keeps what it was told of each.
final class Watcher: Client {
  private var selection = WatchSelection()
  private var watch: UInt64?
  /// What it knows; nil of a job that was deleted.
  private var view: [JobID: Job?] = [:]
  private var hasSnapshot = false

  override func act(isCalm: Bool) {
    guard link != nil else { return connect() }
    if isCalm { return }
    switch simulation.random.below(20) {
    case 0: disconnect()
    case 1: begin()
    default: break
    }
  }

  override func connected() { begin() }

  override func disconnected() {
    watch = nil
    hasSnapshot = false
  }

  override func receive(_ id: UInt64, _ reply: Reply) {
    guard id == watch else { return }
    switch reply {
    case .snapshot(let jobs, _, _):
      for job in jobs { view[job.id] = .some(job) }
      hasSnapshot = true
    case .event(.changed(let job)):
      if !hasSnapshot { simulation.auditor.violation("an event came before the snapshot") }
      view[job.id] = .some(job)
    case .event(.deleted(let id)): view[id] = .some(nil)
    case .event(.resync):
      simulation.auditor.saw("resync")
      begin()
    case .error: begin()
    default: break
    }
  }

  /// Watches anew, in place of what it watched before.
  private func begin() {
    if let watch { send(.unwatch(id: watch)) }
    hasSnapshot = false
    view = [:]
    selection =
      switch simulation.random.below(3) {
      case 0: WatchSelection()
      case 1: WatchSelection(types: [TypeName(simulation.random.pick(Simulation.types))])
      default: WatchSelection(ids: Set((0..<3).compactMap { _ in simulation.randomJob() }))
      }
    watch = send(.watch(selection))
  }

  override func rule(brokenIn store: ModelStore, _ core: BrokerCore) -> String? {
    guard link != nil, hasSnapshot else { return nil }
    for job in store.jobs.values where selection.covers(id: job.id, type: job.type) {
      // A snapshot of types leaves out what was finished before.
      guard let told = view[job.id] else {
        if job.status.isFinished { continue }
        return "was never told of \(job.id)"
      }
      guard let told else { return "believes \(job.id) deleted" }
      var expected = job
      if let lease = core.leases[job.claim], job.status == .processing, lease.unwritten != nil {
        expected.progress = lease.job.progress
        expected.stage = lease.job.stage
      }
      if (told.status, told.attempt) != (expected.status, expected.attempt) {
        return "believes \(job.id) \(told.status) \(told.attempt), not \(expected.status) \(expected.attempt)"
      }
      if (told.progress, told.stage) != (expected.progress, expected.stage) {
        return
          "believes \(job.id) at \(told.progress) \(told.stage ?? "-"), not \(expected.progress) \(expected.stage ?? "-")"
      }
    }
    for (id, told) in view where told != nil && store.jobs[id] == nil {
      return "was not told that \(id) is gone"
    }
    return nil
  }
}
