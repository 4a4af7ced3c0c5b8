import DequeModule
import JobModel

/// A claim that found no job and waits for one.
struct WaitingClaim: Sendable {
  var key: RequestKey
  var request: ClaimRequest
  var worker: WorkerIdentity
  /// Its place among the claims; kept while it goes to the store and comes back with nothing.
  var arrival: UInt64
  /// When it is answered with no job, by the steady clock.
  var deadline: Duration
  /// The value of `ClaimQueue.signals` when it last went to the store.
  var sentAfterSignal: UInt64 = 0
  /// The jobs that made it go to the store.
  var wokenFor: ReadyJobs?

  /// Those of the jobs it was woken for that are still to be had after it came back with `jobs`.
  func left(after jobs: [Job]) -> ReadyJobs? {
    // Even one that comes back with less than it asked for may leave some: a reply holds only so much.
    guard var ready = wokenFor, !jobs.isEmpty else { return nil }
    ready.count -= jobs.count { $0.type.hasBytes(of: ready.type) }
    return ready.count > 0 ? ready : nil
  }
}

/// Jobs of one type that a claim may take.
struct ReadyJobs: Sendable, Equatable {
  var type: String
  var count: Int
}

/// The claims that wait, first come, first served within what each accepts.
///
/// A claim is here only after the store had nothing for it. Whoever makes jobs ready calls `signal`, which takes
/// out the claims to be sent to the store. A claim that is on its way when a signal comes, and returns with
/// nothing, missed that signal: `park` notices and refuses, and it has to go again. A claim that was woken for one
/// type and comes back with jobs of another leaves work to be signalled once more: `WaitingClaim.left`.
struct ClaimQueue {
  private var waiting: [UInt64: WaitingClaim] = [:]
  /// Arrivals of the claims that accept a type, ascending; those that accept any type are under nil.
  private var byType: [TypeName?: Deque<UInt64>] = [:]
  /// Arrivals of the claims of a connection.
  private var byConnection: [ConnectionID: Set<UInt64>] = [:]
  private var lastArrival: UInt64 = 0
  private var signals: UInt64 = 0
  private var lastSignal: [TypeName: UInt64] = [:]
  /// A type that is not in `lastSignal` had its last signal no later than this.
  private var forgotten: UInt64 = 0
  /// As many types are kept in `lastSignal`; beyond, it forgets, which makes some claims go to the store in vain.
  private static let rememberedTypes = 1_000
  /// Whether a claim that went to the store and is not back was withdrawn meanwhile, by what it answers.
  private var away: [RequestKey: Bool] = [:]
  /// No waiting claim's deadline is earlier.
  private(set) var nextDeadline: Duration?

  var count: Int { waiting.count }
  var claims: some Sequence<WaitingClaim> { waiting.values }

  /// A new claim, about to go to the store.
  mutating func admit(
    _ request: ClaimRequest, key: RequestKey, worker: WorkerIdentity, now: Duration
  ) -> WaitingClaim {
    lastArrival += 1
    return WaitingClaim(
      key: key, request: request, worker: worker, arrival: lastArrival, deadline: now + request.wait,
      sentAfterSignal: signals)
  }

  /// A claim goes to the store.
  mutating func leave(_ claim: WaitingClaim) { away[claim.key] = false }

  /// A claim is back from the store. Returns whether it was withdrawn meanwhile, so that it must not wait any more.
  mutating func comeBack(_ claim: WaitingClaim) -> Bool {
    away.removeValue(forKey: claim.key) ?? false
  }

  /// Ends the wait of the claim that answers a request: takes it out if it waits; if it is at the store, `comeBack`
  /// will tell.
  mutating func withdraw(_ key: RequestKey) -> WaitingClaim? {
    if let arrival = byConnection[key.connection]?.first(where: { waiting[$0]?.key == key }) {
      return remove(arrival)
    }
    if away[key] != nil { away[key] = true }
    return nil
  }

  /// Lets a claim wait that came back with nothing. False: a job it might take became ready meanwhile, so it
  /// must go to the store again, as `resend` prepares it.
  mutating func park(_ claim: WaitingClaim) -> Bool {
    let missed =
      claim.request.types.isEmpty
      ? signals > claim.sentAfterSignal
      : claim.request.types.contains { lastSignal[TypeName($0), default: forgotten] > claim.sentAfterSignal }
    if missed { return false }
    waiting[claim.arrival] = claim
    byConnection[claim.key.connection, default: []].insert(claim.arrival)
    for type in keys(of: claim) {
      let index = insertionPoint(claim.arrival, in: byType[type] ?? [])
      byType[type, default: []].insert(claim.arrival, at: index)
    }
    nextDeadline = min(nextDeadline ?? claim.deadline, claim.deadline)
    return true
  }

  /// The same claim, about to go to the store again.
  func resend(_ claim: WaitingClaim) -> WaitingClaim {
    var claim = claim
    claim.sentAfterSignal = signals
    claim.wokenFor = nil
    return claim
  }

  /// `count` jobs of a type became ready: takes out the claims to be sent to the store, oldest first.
  mutating func signal(type name: String, count: Int) -> [WaitingClaim] {
    let type = TypeName(name)
    signals += 1
    if lastSignal.count >= ClaimQueue.rememberedTypes, lastSignal[type] == nil {
      lastSignal.removeAll(keepingCapacity: true)
      forgotten = signals
    }
    lastSignal[type] = signals
    var sent: [WaitingClaim] = []
    var left = count
    while left > 0, let arrival = first(accepting: type), let claim = remove(arrival) {
      var claim = resend(claim)
      claim.wokenFor = ReadyJobs(type: name, count: min(left, claim.request.maxJobs))
      sent.append(claim)
      left -= claim.request.maxJobs
    }
    return sent
  }

  /// Takes out the claims whose time is up.
  mutating func expire(now: Duration) -> [WaitingClaim] {
    guard let nextDeadline, nextDeadline <= now else { return [] }
    let due = waiting.values.filter { $0.deadline <= now }.sorted { $0.arrival < $1.arrival }
    for claim in due { _ = remove(claim.arrival) }
    self.nextDeadline = waiting.values.lazy.map(\.deadline).min()
    return due
  }

  /// Takes out every claim of a connection.
  mutating func removeAll(of connection: ConnectionID) -> [WaitingClaim] {
    (byConnection[connection] ?? []).sorted().compactMap { remove($0) }
  }

  /// Takes out all claims.
  mutating func removeAll() -> [WaitingClaim] { waiting.keys.sorted().compactMap { remove($0) } }

  private func first(accepting type: TypeName) -> UInt64? {
    switch (byType[type]?.first, byType[nil]?.first) {
    case (let named?, let any?): min(named, any)
    case (let named, let any): named ?? any
    }
  }

  private mutating func remove(_ arrival: UInt64) -> WaitingClaim? {
    guard let claim = waiting.removeValue(forKey: arrival) else { return nil }
    byConnection.remove(arrival, from: claim.key.connection)
    for type in keys(of: claim) {
      guard var list = byType.removeValue(forKey: type) else { continue }
      let index = insertionPoint(arrival, in: list)
      if index < list.count, list[index] == arrival { list.remove(at: index) }
      if !list.isEmpty { byType[type] = list }
    }
    return claim
  }

  private func keys(of claim: WaitingClaim) -> Set<TypeName?> {
    claim.request.types.isEmpty ? [nil] : Set(claim.request.types.map { TypeName($0) })
  }

  private func insertionPoint(_ arrival: UInt64, in list: Deque<UInt64>) -> Int {
    var low = 0
    var high = list.count
    while low < high {
      let middle = (low + high) / 2
      if list[middle] < arrival { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
