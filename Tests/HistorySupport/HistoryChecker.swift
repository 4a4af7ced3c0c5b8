import JobModel
import StoreModel

/// Whether there is an order of the operations on one job, each at some moment between its request and its reply, in
/// which the model answers them all as the broker did (linearizability, Herlihy and Wing 1990). The search is that of
/// Wing and Gong (1993) with the memory of Lowe (2017): what was tried from a state with the same operations done is
/// not tried again.
package struct HistoryChecker {
  package enum Verdict: Equatable, Sendable {
    case linearizable
    /// No order explains more than this many of the answered operations.
    case broken(explained: Int, of: Int)
    /// The search was given up.
    case undecided
  }

  /// A place in the search: what was done, and what the job is then.
  private struct Place {
    var done: Bits
    var state: JobModelState
    var unansweredClaims = 0
    var explained = 0
    /// The latest request of what was done: nothing that was answered before it can come after.
    var latest: UInt64 = 0
  }

  private struct Key: Hashable {
    var done: Bits
    var state: JobModelState.Key
    var unansweredClaims: Int
    /// How many sweeps can no longer happen: all that the latest request decides.
    var pastSweeps: Int
  }

  /// Places looked at before the search is given up.
  private static let limit = 2_000_000

  private let job: NewJob
  private let operations: [RecordedOperation]
  /// Each may have met the job, once, or not.
  private let sweeps: [RecordedOperation]
  /// When the claims were asked for that were never answered, in order. Each may have taken this job, once.
  private let unansweredClaims: [UInt64]
  /// Those that an operation names. What became of others makes no difference.
  private let attempts: Set<Int>
  private let fault: Fault?

  /// - Parameter fault: planted into the model, to see that the checker then says something else.
  package init(
    _ job: NewJob, _ operations: [RecordedOperation], sweeps: [RecordedOperation] = [],
    unansweredClaims: [UInt64] = [], fault: Fault? = nil
  ) {
    self.sweeps = sweeps
    self.job = job
    self.operations = operations.sorted { $0.start < $1.start }
    self.unansweredClaims = unansweredClaims.sorted()
    attempts = Set(operations.compactMap(\.attempt))
    self.fault = fault
  }

  package func verdict() -> Verdict {
    let answered = operations.count { $0.reply != nil }
    var places = [Place(done: Bits(count: operations.count), state: JobModelState(job, fault: fault))]
    var tried: Set<Key> = []
    var best = 0
    while let place = places.popLast() {
      best = max(best, place.explained)
      if place.explained == answered { return .linearizable }
      if tried.count > Self.limit { return .undecided }
      let key = Key(
        done: place.done, state: place.state.key(attempts), unansweredClaims: place.unansweredClaims,
        pastSweeps: sweeps.count { ($0.end ?? .max) < place.latest })
      guard tried.insert(key).inserted else { continue }
      places += next(after: place)
    }
    return .broken(explained: best, of: answered)
  }

  /// Where one more step can lead, the likeliest last.
  private func next(after place: Place) -> [Place] {
    // What was answered before another was asked for comes before it.
    let horizon =
      operations.indices.lazy.filter { !place.done[$0] }.compactMap { operations[$0].end }.min() ?? .max
    let state = place.state.key(attempts)
    var steps: [Place] = []
    for (index, operation) in operations.enumerated().reversed()
    where !place.done[index] && operation.start <= horizon {
      var done = place
      guard let answer = done.state.apply(operation), operation.reply == nil || operation.reply == answer
      else { continue }
      done.done.insert(index)
      done.latest = max(place.latest, operation.start)
      if operation.reply != nil { done.explained += 1 }
      guard done.state.key(attempts) == state else {
        steps.append(done)
        continue
      }
      // It changes nothing. Unanswered, it need not have happened.
      guard let reply = operation.reply else { continue }
      // What changes nothing, whenever it comes, may as well come now as later.
      if operation.neverChanges(with: reply), !isSweepDue(between: place.latest, and: operation.start) {
        return [done]
      }
      steps.append(done)
    }
    return othersChanges(at: place, until: horizon) + steps
  }

  /// What may happen to the job besides the operations on it: by the broker, by claims that were never answered, by
  /// sweeps.
  private func othersChanges(at place: Place, until horizon: UInt64) -> [Place] {
    var next = place.state.ownChanges.map { state in
      var next = place
      next.state = state
      return next
    }
    if place.unansweredClaims < unansweredClaims.count, unansweredClaims[place.unansweredClaims] <= horizon {
      var claimed = place
      claimed.unansweredClaims += 1
      if claimed.state.claimUnanswered() { next.append(claimed) }
    }
    // Not remembered as done: to meet the job a second time, it would have to have changed meanwhile.
    for sweep in sweeps where sweep.start <= horizon && (sweep.end ?? .max) >= place.latest {
      var swept = place
      if swept.state.sweep(sweep.kind) {
        swept.latest = max(place.latest, sweep.start)
        next.append(swept)
      }
    }
    return next
  }

  /// Whether a sweep that may still happen could not, once something was done that was asked for at `moment`.
  private func isSweepDue(between latest: UInt64, and moment: UInt64) -> Bool {
    sweeps.contains { sweep in (sweep.end ?? .max) >= latest && (sweep.end ?? .max) < moment }
  }
}

extension RecordedOperation {
  /// Whether what was answered so has left the job as it was: it was refused, or only looked at it. A repeated cancel is
  /// not among them, for the same answer tells of one that cancels.
  fileprivate func neverChanges(with reply: SeenReply) -> Bool {
    switch kind {
    case .get, .seenByKey: true
    case .create where reply.created == false: true
    default: reply.code != "OK"
    }
  }
}

/// A set of small numbers.
private struct Bits: Hashable {
  private var words: [UInt64]

  init(count: Int) { words = Array(repeating: 0, count: (count + 63) / 64) }

  subscript(_ index: Int) -> Bool { words[index / 64] & 1 << UInt64(index % 64) != 0 }

  mutating func insert(_ index: Int) { words[index / 64] |= 1 << UInt64(index % 64) }
}
