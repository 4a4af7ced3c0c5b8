import BrokerCore
import DequeModule
import JobModel
import JobStore

/// The reads under way at the store, and those that wait for one of them to end. The connections take turns.
///
/// Quick ones never wait for those that look through many jobs.
struct ReadQueue {
  struct Read {
    var query: Query
    var key: RequestKey
  }

  private struct Lane {
    private let limit: Int
    private var underWay = 0
    private var waiting: [ConnectionID: Deque<Read>] = [:]
    /// Whose turn it is, in order: all for whom something waits, and some that have gone.
    private var turns: Deque<ConnectionID> = []

    init(limit: Int) { self.limit = limit }

    var isIdle: Bool { underWay == 0 && waiting.isEmpty }

    mutating func append(_ read: Read) {
      let connection = read.key.connection
      if waiting[connection] == nil { turns.append(connection) }
      waiting[connection, default: []].append(read)
    }

    mutating func next() -> Read? {
      while underWay < limit, let connection = turns.popFirst() {
        guard let read = waiting[connection]?.popFirst() else { continue }
        if waiting[connection]?.isEmpty == true {
          waiting[connection] = nil
        } else {
          turns.append(connection)
        }
        underWay += 1
        return read
      }
      return nil
    }

    mutating func end() { underWay -= 1 }

    mutating func removeWaiting(of connection: ConnectionID) { waiting[connection] = nil }

    mutating func removeWaiting() -> [Read] {
      defer { (waiting, turns) = ([:], []) }
      return waiting.values.flatMap { $0 }
    }
  }

  private var quick = Lane(limit: 32)
  private var scans = Lane(limit: 8)

  var isIdle: Bool { quick.isIdle && scans.isIdle }

  mutating func append(_ read: Read) {
    if read.query.isScan { scans.append(read) } else { quick.append(read) }
  }

  /// The next to be run, if any may be now; it is under way until `end`.
  mutating func next() -> Read? { quick.next() ?? scans.next() }

  mutating func end(_ query: Query) {
    if query.isScan { scans.end() } else { quick.end() }
  }

  /// Takes out those that wait.
  mutating func removeWaiting() -> [Read] { quick.removeWaiting() + scans.removeWaiting() }

  /// Forgets those of a connection that wait: nobody would hear the answer.
  mutating func removeWaiting(of connection: ConnectionID) {
    quick.removeWaiting(of: connection)
    scans.removeWaiting(of: connection)
  }
}

extension JobStore {
  /// Answers a query of the core.
  func answer(_ query: Query) async throws(JobError) -> Answer {
    switch query {
    case .get(let id): return .job(try await get(id))
    case .list(let filter): return .page(try await list(filter))
    case .position(let id): return .position(try await position(id))
    case .stats:
      var stats = BrokerStats()
      stats.types = try await self.stats()
      return .stats(stats)
    case .backup(let path):
      try await backup(to: path)
      return .done
    }
  }
}

extension Query {
  /// Whether it looks through many jobs, on another thread than the one that serves.
  fileprivate var isScan: Bool {
    switch self {
    case .list, .backup: true
    case .get, .position, .stats: false
    }
  }
}
