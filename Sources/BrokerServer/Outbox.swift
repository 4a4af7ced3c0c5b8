import BrokerCore

/// Responses that wait for the disk: what a transaction changed is told when it is durable, in the order of the
/// transactions.
struct Outbox {
  private struct Held {
    var commit: Int
    var actions: [Action]
  }

  private var held: [Held] = []

  var isEmpty: Bool { held.isEmpty }

  /// Keeps an action until the `commit`-th transaction is durable.
  mutating func hold(_ action: Action, until commit: Int) {
    if held.last?.commit == commit {
      held[held.count - 1].actions.append(action)
    } else {
      held.append(Held(commit: commit, actions: [action]))
    }
  }

  /// Takes out what may be told when the transactions up to the `commit`-th are durable.
  mutating func release(upTo commit: Int) -> [Action] {
    let count = held.prefix { $0.commit <= commit }.count
    let actions = held.prefix(count).flatMap(\.actions)
    held.removeFirst(count)
    return actions
  }
}
