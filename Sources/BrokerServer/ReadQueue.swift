import BrokerCore
import JobModel
import JobStore
import NIOCore

/// The reads under way at the store, and those that wait for one of them to end, first come, first served.
///
/// Quick ones never wait for those that look through many jobs.
struct ReadQueue {
  struct Read {
    var query: Query
    var key: RequestKey
  }

  private struct Lane {
    var limit: Int
    var underWay = 0
    var waiting = CircularBuffer<Read>()

    var isIdle: Bool { underWay == 0 && waiting.isEmpty }

    mutating func next() -> Read? {
      guard underWay < limit, let read = waiting.popFirst() else { return nil }
      underWay += 1
      return read
    }
  }

  private var quick = Lane(limit: 32)
  private var scans = Lane(limit: 8)

  var isIdle: Bool { quick.isIdle && scans.isIdle }

  mutating func append(_ read: Read) {
    if read.query.isScan { scans.waiting.append(read) } else { quick.waiting.append(read) }
  }

  /// The next to be run, if any may be now; it is under way until `end`.
  mutating func next() -> Read? { quick.next() ?? scans.next() }

  mutating func end(_ query: Query) {
    if query.isScan { scans.underWay -= 1 } else { quick.underWay -= 1 }
  }

  /// Takes out those that wait.
  mutating func removeWaiting() -> [Read] {
    defer {
      quick.waiting.removeAll()
      scans.waiting.removeAll()
    }
    return Array(quick.waiting) + Array(scans.waiting)
  }

  /// Forgets those of a connection that wait: nobody would hear the answer.
  mutating func removeWaiting(of connection: ConnectionID) {
    quick.waiting.removeAll { $0.key.connection == connection }
    scans.waiting.removeAll { $0.key.connection == connection }
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
