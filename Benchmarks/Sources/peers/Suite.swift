/// The measurements, each over all peers that are asked for and there.
struct Suite {
  private let options: Options
  private let workspace: Workspace
  private let report: Report
  private let brokers: [JobBrokerPeer]
  private let others: [any Peer]

  init(options: Options, workspace: Workspace, report: Report) throws {
    self.options = options
    self.workspace = workspace
    self.report = report
    brokers = options.brokers.map { JobBrokerPeer(name: $0.name, program: $0.program) }
    for broker in brokers { if let missing = broker.missing { throw Failure(missing) } }
    let all: [any Peer] = [
      BeanstalkdPeer(), RedisListsPeer(), RedisStreamsPeer(), PostgreSQLPeer(), OriginalPeer(),
    ]
    others = all.filter { peer in
      guard options.peers.contains(peer.name) else { return false }
      if let missing = peer.missing { report.note("\(peer.name) is left out: \(missing)") }
      return peer.missing == nil
    }
  }

  func lifecycles() throws {
    for (clients, comparison) in try compare(brokers + others, clients: options.clients) {
      report.add(comparison, measure: "lifecycles", title: "\(clients) clients")
    }
  }

  func relaxed() throws {
    let brokers = brokers.map { JobBrokerPeer(name: $0.name, program: $0.program, durability: "relaxed") }
    for (clients, comparison) in try compare(brokers, clients: [64]) {
      report.add(comparison, measure: "relaxed", title: "\(clients) clients, relaxed")
    }
  }

  func wakeUp() throws {
    for peer in brokers + others {
      guard let peer = peer as? any SocketPeer, peer.blocks else { continue }
      report.add(try WakeUp(peer, jobs: 500, in: workspace), name: peer.name)
    }
  }

  func position() throws {
    for broker in brokers {
      let backlog = try Backlog(broker, jobs: options.backlog, rounds: options.rounds, in: workspace)
      report.add(backlog, name: broker.name)
    }
  }

  /// Measures the peers in turns, so that a slow minute of the machine falls on all of them.
  private func compare(_ peers: [any Peer], clients: [Int]) throws -> [(Int, Comparison)] {
    var comparisons = clients.map { ($0, Comparison(clients: $0, names: peers.map(\.name))) }
    for round in 0..<options.rounds {
      for index in comparisons.indices {
        let load = Load(
          clients: comparisons[index].0, warmUp: UInt64(options.warmUp * Double(Clock.second)),
          duration: UInt64(options.seconds * Double(Clock.second)))
        for place in peers.indices {
          // Each round begins with another peer.
          let peer = peers[(place + round) % peers.count]
          comparisons[index].1.add(try peer.measure(load, in: workspace), of: peer.name)
        }
      }
    }
    return comparisons
  }
}
