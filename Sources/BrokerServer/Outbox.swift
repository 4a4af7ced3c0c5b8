import BrokerCore

/// Responses that wait for the disk: what a transaction changed is told when it is durable, in the order of the
/// transactions.
struct Outbox {
  private struct Held {
    var commit: Int
    var actions: [Action]
    var answers = 0
  }

  private var held: [Held] = []

  var isEmpty: Bool { held.isEmpty }
  /// The transaction that the last of them waits for.
  var last: Int? { held.last?.commit }
  /// How many of them answer reads.
  private(set) var answers = 0

  /// Keeps an action until the `commit`-th transaction is durable.
  mutating func hold(_ action: Action, until commit: Int, isAnswer: Bool) {
    if held.last?.commit != commit { held.append(Held(commit: commit, actions: [])) }
    held[held.count - 1].actions.append(action)
    if isAnswer {
      held[held.count - 1].answers += 1
      answers += 1
    }
  }

  /// Takes out what may be told when the transactions up to the `commit`-th are durable.
  mutating func release(upTo commit: Int) -> [Action] {
    let count = held.prefix { $0.commit <= commit }.count
    let actions = held.prefix(count).flatMap(\.actions)
    answers -= held.prefix(count).reduce(0) { $0 + $1.answers }
    held.removeFirst(count)
    return actions
  }
}
