import JobModel
import StoreModel
import TrustSupport

@testable import BrokerCore

/// A process that talks to the broker. It acts when the simulation lets it, and otherwise only takes what comes.
class Client {
  let number: Int
  unowned let simulation: Simulation
  var link: Link?
  /// It stands still until then: neither acts nor takes what comes.
  var asleepUntil: Duration = .zero
  private var lastRequest: UInt64 = 0

  init(_ number: Int, in simulation: Simulation) {
    self.number = number
    self.simulation = simulation
  }

  var isOperator: Bool { false }

  /// Does something of its own accord; with `isCalm` only what gets the work done.
  func act(isCalm: Bool) {}

  /// It has a new connection.
  func connected() {}

  /// A response came.
  func receive(_ id: UInt64, _ reply: Reply) {}

  /// Its connection is gone.
  func disconnected() {}

  /// Its process ended; another one takes its place and knows nothing.
  func crashed() {}

  /// What is wrong with its view of the world when nothing is on its way; nil when nothing is.
  func rule(brokenIn store: ModelStore, _ core: BrokerCore) -> String? { nil }

  @discardableResult
  final func send(_ operation: JobModel.Operation) -> UInt64 {
    lastRequest += 1
    link?.requests.append((lastRequest, operation))
    return lastRequest
  }

  final func connect() {
    link = simulation.connect(self)
    send(.hello(Hello(workerName: "client \(number)")))
    connected()
  }

  final func disconnect() {
    link?.isOpenAtClient = false
    link = nil
    disconnected()
  }

  final func crash() {
    disconnect()
    crashed()
  }
}

/// Creates jobs, and repeats what was not answered.
final class Producer: Client {
  private var unanswered: [(id: UInt64, jobs: [NewJob])] = []

  override func act(isCalm: Bool) {
    guard link != nil else { return connect() }
    if !isCalm, simulation.mayCreate, simulation.random.chance(80) { return create() }
    if let index = unanswered.indices.first {
      unanswered[index].id = send(.create(unanswered[index].jobs))
      unanswered.append(unanswered.remove(at: index))
    }
  }

  override func connected() {
    for index in unanswered.indices { unanswered[index].id = send(.create(unanswered[index].jobs)) }
  }

  override func crashed() { unanswered = [] }

  override func receive(_ id: UInt64, _ reply: Reply) {
    guard let index = unanswered.firstIndex(where: { $0.id == id }) else { return }
    switch reply {
    case .created(let entries):
      for entry in entries { simulation.auditor.toldCreated(entry.job.id) }
      unanswered.remove(at: index)
    case .error(let error) where error.code != .unavailable:
      simulation.auditor.violation("a create was refused: \(error)")
    default: break
    }
  }

  private func create() {
    var jobs: [NewJob] = []
    for _ in 0...simulation.random.below(3) where simulation.mayCreate {
      let due =
        simulation.random.chance(15) ? simulation.now.wall + .seconds(simulation.random.below(6) - 1) : nil
      let job = NewJob(
        id: simulation.newID(), type: simulation.random.pick(Simulation.types),
        priority: Int32(simulation.random.below(2)), maxRetries: 1, maxLost: 2, notBefore: due,
        uniqueKey: simulation.random.chance(10) ? "key" : nil)
      jobs.append(job)
    }
    if !jobs.isEmpty { unanswered.append((send(.create(jobs)), jobs)) }
  }
}

/// Does to jobs what people with `jobctl` do.
final class Operator: Client {
  override var isOperator: Bool { true }

  override func act(isCalm: Bool) {
    guard link != nil else { return connect() }
    if isCalm {
      for type in Simulation.types { send(.resume(type: type)) }
      return
    }
    let type = simulation.random.pick(Simulation.types)
    switch simulation.random.below(20) {
    case 0...1: send(.pause(type: type))
    case 2...5: send(.resume(type: type))
    case 6: send(.reap(timeout: .seconds(3), type: simulation.random.chance(50) ? type : nil))
    case 7: send(.prune(olderThan: .zero, status: nil, type: nil))
    case 8: send(simulation.random.pick([.stats, .workers]))
    default: if let id = simulation.randomJob() { act(on: id) }
    }
  }

  private func act(on id: JobID) {
    switch simulation.random.below(12) {
    case 0...3: send(.cancel(id))
    case 4...5: send(.retry(id))
    case 6: send(.release(id, attempt: nil, delay: simulation.random.chance(50) ? .zero : .seconds(1)))
    case 7: send(.delete(id))
    case 8: send(.update(id, attempt: nil, JobUpdate(progress: 33)))
    case 9:
      let status = simulation.random.pick([JobStatus.pending, .processing])
      send(.update(id, attempt: nil, JobUpdate(status: status, progress: 11)))
    case 10: send(.complete(id, attempt: nil, result: nil))
    default: send(.get(id))
    }
  }

  override func receive(_ id: UInt64, _ reply: Reply) {
    if case .job(let job) = reply, job.status == .cancelled {
      simulation.auditor.toldFinished(job.id, job.status)
    }
  }
}
