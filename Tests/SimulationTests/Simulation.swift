import JobModel
import StoreModel
import TrustSupport

@testable import BrokerCore

/// One run: a broker, its clients and their connections, in an order, with delays and with accidents that all
/// follow from the seed.
final class Simulation {
  static let types = ["cut", "mix", "save"]
  private static let jobLimit = 10

  let auditor = Auditor()
  let broker: SimulatedBroker
  var random: SeededRandom
  private(set) var now = Moment(steady: .seconds(1_000), wall: Timestamp(milliseconds: 1_700_000_000_000))
  /// The last things that happened, when they are recorded.
  private(set) var trace: [String] = []
  private let isTraced: Bool
  private var clients: [Client] = []
  /// Every link with something on it, those that only one side has closed included.
  private var links: [Link] = []
  private var created: [JobID] = []

  init(seed: UInt64, fault: Fault? = nil, isTraced: Bool = false) {
    random = SeededRandom(seed: seed)
    self.isTraced = isTraced
    broker = SimulatedBroker(fault: fault, auditor: auditor, now: now)
    clients = [
      Producer(1, in: self), Producer(2, in: self), Worker(3, in: self), Worker(4, in: self),
      Worker(5, in: self),
      Operator(6, in: self), Watcher(7, in: self),
    ]
  }

  /// Runs until a rule is broken, or to the end. Returns the rule.
  func run(steps: Int = 160) -> String? {
    for step in 0..<steps where auditor.broken == nil {
      disturb()
      if step % 40 == 39 {
        settle()
        auditor.checkQuiet(broker, clients, at: now)
      }
    }
    if auditor.broken == nil { heal() }
    return auditor.broken
  }

  // MARK: For clients

  var mayCreate: Bool { created.count < Simulation.jobLimit }

  func newID() -> JobID {
    let id = JobID(high: 0, low: UInt64(created.count) + 1)
    created.append(id)
    return id
  }

  func randomJob() -> JobID? { created.isEmpty ? nil : random.pick(created) }

  func connect(_ client: Client) -> Link {
    let link = broker.connect(client, isOperator: client.isOperator, at: now)
    links.append(link)
    return link
  }

  // MARK: Steps

  private func disturb() {
    switch random.below(100) {
    case 0..<30:
      let client = random.pick(clients)
      if client.asleepUntil <= now.steady {
        record("client \(client.number) acts")
        client.act(isCalm: false)
      }
    case 30..<55: if let link = randomLink() { read(link) }
    case 55..<65: if let link = randomLink() { deliver(link) }
    case 65..<80: if broker.hasExecuted { finish() } else { execute(all: false) }
    case 80..<84: sync()
    case 84..<86: giveBackAndAnswer()
    case 86..<96: pass(random.pick([.milliseconds(20), .milliseconds(300), .seconds(1), .seconds(4)]))
    default: accident()
    }
  }

  private func accident() {
    switch random.below(12) {
    case 0...2: setWallClock(by: random.pick([-86_400, -3_600, 3_600, 86_400]))
    case 3...4: standStill(for: random.pick([.seconds(1), .seconds(8), .seconds(60)]))
    case 5: restart(powerCut: false)
    case 6: restart(powerCut: true)
    case 7...8:
      for link in links where link.client is Watcher {
        record("link \(link.id.number) is \(link.hasRoom ? "full" : "free again")")
        broker.setRoom(!link.hasRoom, of: link, at: now)
      }
    case 9: if let link = randomLink(), link.isOpenAtClient { link.client.disconnect() }
    default: pass(.seconds(random.below(20)))
    }
  }

  private func randomLink() -> Link? {
    links.removeAll { !$0.isOpenAtBroker && (!$0.isOpenAtClient || $0.responses.isEmpty) }
    return links.isEmpty ? nil : random.pick(links)
  }

  private func read(_ link: Link) {
    if link.requests.isEmpty && link.isOpenAtClient { return }
    record("the broker reads \(link.id.number): \(link.requests.first?.operation.summary ?? "its end")")
    broker.read(link, at: now)
  }

  private func deliver(_ link: Link) {
    broker.write(link, at: now)
    guard link.isOpenAtClient, link.client.asleepUntil <= now.steady, !link.responses.isEmpty else { return }
    let message = link.responses.removeFirst()
    record("client \(link.client.number) hears \(message.id): \(message.reply)")
    link.client.receive(message.id, message.reply)
  }

  private func execute(all: Bool) {
    guard broker.hasWaiting else { return }
    let isAvailable = all || !random.chance(4)
    let count = all ? .max : 1 + random.below(6)
    record(
      "the store \(isAvailable ? "runs" : "refuses") \(broker.waiting.prefix(count).map(\.command.summary))")
    broker.execute(count, isAvailable: isAvailable, at: now)
  }

  private func finish() {
    record("the transaction is finished")
    broker.finish(at: now)
  }

  private func sync() {
    record("the disk has it")
    broker.sync(at: now)
  }

  private func giveBackAndAnswer() {
    if broker.hasUndelivered { broker.giveBack(at: now) }
    if broker.hasQueries { broker.answerQuery(at: now) }
  }

  // MARK: Time

  private func move(to steady: Duration) {
    now.wall = now.wall + (steady - now.steady)
    now.steady = steady
  }

  /// Time passes and the broker does on time what is due.
  private func pass(_ duration: Duration) {
    let end = now.steady + duration
    record("\(duration) pass")
    var ticks = 0
    while let next = broker.nextTick, next <= end {
      ticks += 1
      if ticks > 1_000 { return auditor.violation("the broker never has time to rest") }
      move(to: max(next, now.steady))
      broker.tick(at: now)
    }
    move(to: end)
  }

  /// The broker stands still, while its clients go on.
  private func standStill(for duration: Duration) {
    record("the broker stands still for \(duration)")
    move(to: now.steady + duration)
    for client in clients where client is Worker && client.asleepUntil <= now.steady && random.chance(50) {
      client.act(isCalm: false)
    }
    broker.tick(at: now)
  }

  private func setWallClock(by seconds: Int64) {
    record("the wall clock jumps by \(seconds) s")
    now.wall = now.wall + .seconds(seconds)
    broker.wallOffset += .seconds(seconds)
  }

  private func restart(powerCut: Bool) {
    record(powerCut ? "power cut" : "the broker is killed")
    broker.restart(powerCut: powerCut, at: now)
    links = []
    for client in clients { if powerCut { client.crash() } else { client.disconnect() } }
  }

  // MARK: Quiet

  /// Lets everything arrive that is on its way, without anything new.
  private func settle() {
    record("settling")
    var isBusy = true
    var rounds = 0
    while isBusy, auditor.broken == nil {
      rounds += 1
      if rounds > 200 { return auditor.violation("the broker never comes to rest") }
      pass(.zero)
      isBusy = false
      for link in links where link.isOpenAtBroker {
        broker.setRoom(true, of: link, at: now)
        while link.isOpenAtBroker, !link.requests.isEmpty || !link.isOpenAtClient { read(link) }
      }
      while broker.hasUndelivered || broker.hasQueries { giveBackAndAnswer() }
      if broker.hasExecuted { finish() }
      if broker.hasWaiting { execute(all: true) }
      if broker.hasExecuted { finish() }
      if broker.isDirty { sync() }
      for link in links {
        broker.write(link, at: now)
        while link.isOpenAtClient, !link.responses.isEmpty, link.client.asleepUntil <= now.steady {
          deliver(link)
        }
        if link.isOpenAtBroker, !link.requests.isEmpty || !link.isOpenAtClient || !link.unwritten.isEmpty {
          isBusy = true
        }
      }
      if broker.hasWaiting || broker.hasUndelivered || broker.hasQueries || broker.isDirty { isBusy = true }
    }
    _ = randomLink()
  }

  /// No more accidents: every job must come to its end, and everybody must know.
  private func heal() {
    record("healing")
    for client in clients { client.asleepUntil = .zero }
    for _ in 0..<60 where auditor.broken == nil {
      for client in clients { client.act(isCalm: true) }
      settle()
      auditor.checkQuiet(broker, clients, at: now)
      pass(.seconds(2))
      if let due = broker.store.nextDue, due > now.wall {
        setWallClock(by: (due - now.wall).components.seconds + 1)
      }
      let unfinished = broker.store.jobs.values.contains { !$0.status.isFinished && isReachable($0) }
      if !unfinished, mayEnd { return }
    }
    if auditor.broken == nil { auditor.violation("the work is never done: \(broker.store.jobs.values)") }
  }

  /// Whether nothing that happened is still on its way to a watcher.
  private var mayEnd: Bool {
    settle()
    auditor.checkQuiet(broker, clients, at: now)
    return true
  }

  /// A job that an operator's update started belongs to nobody, and only an operator can end it.
  private func isReachable(_ job: Job) -> Bool { job.status == .pending || job.leaseExpiresAt != nil }

  private func record(_ event: @autoclosure () -> String) {
    if isTraced { trace.append("\(now.steady) \(event())") }
  }
}

extension JobModel.Operation {
  /// A text that does not depend on the order in which a set is kept.
  fileprivate var summary: String {
    guard case .watch(let selection) = self else { return "\(self)" }
    return "watch \(selection.summary)"
  }
}

extension JobCommand {
  fileprivate var summary: String {
    switch self {
    case .changes: "changes"
    case .snapshot(let selection, _): "snapshot \(selection.summary)"
    case .reap(let cutoff, let type, let sparing, let limit):
      "reap \(cutoff) \(type ?? "-") sparing \(sparing.sorted()) limit \(limit)"
    default: "\(self)"
    }
  }
}

extension WatchSelection {
  fileprivate var summary: String { "\(ids.sorted()) \(types.sorted())" }
}
