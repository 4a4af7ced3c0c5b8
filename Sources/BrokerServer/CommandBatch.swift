import BrokerCore
import DequeModule
import JobModel

/// Commands that wait for a transaction or share one, in order.
struct CommandBatch {
  private(set) var submissions: Deque<Submission> = []
  /// What it takes to run them, and to hold their results: 1 for each, or a create's jobs.
  private(set) var weight = 0
  /// The weight of those that need the disk.
  private(set) var durableWeight = 0

  var count: Int { submissions.count }
  var isEmpty: Bool { submissions.isEmpty }
  /// Whether any needs the disk.
  var needsDisk: Bool { durableWeight > 0 }

  mutating func append(_ submission: Submission) {
    submissions.append(submission)
    count(submission, 1)
  }

  /// Takes out the first, of so much weight together, but one at least.
  mutating func removeFirst(weighing limit: Int) -> CommandBatch {
    var first = CommandBatch()
    // As many are likely to come again.
    first.submissions.reserveCapacity(min(count, limit))
    if weight <= limit {
      swap(&first, &self)
      return first
    }
    while let next = submissions.first, first.isEmpty || first.weight + next.weight <= limit {
      first.append(submissions.removeFirst())
      count(next, -1)
    }
    return first
  }

  /// Takes out those of which this is so.
  mutating func removeAll(where isWanted: (Submission) -> Bool) -> CommandBatch {
    var (removed, rest) = (CommandBatch(), CommandBatch())
    for submission in submissions {
      if isWanted(submission) { removed.append(submission) } else { rest.append(submission) }
    }
    self = rest
    return removed
  }

  private mutating func count(_ submission: Submission, _ sign: Int) {
    let weight = sign * submission.weight
    self.weight += weight
    if !submission.isVolatile { durableWeight += weight }
  }
}

extension Submission {
  fileprivate var weight: Int {
    if case .create(let jobs) = command { max(1, jobs.count) } else { 1 }
  }
}
