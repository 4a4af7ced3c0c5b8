import Collections
import JobModel

/// Who follows which jobs, and what waits for those that do not keep up.
struct WatchTable {
  private struct Watch {
    var selection: WatchSelection
    /// Whether its snapshot was taken, so that it is told of changes.
    var isFollowing = false
    /// Changes that its connection had no room for: the latest of each job, in order of first change.
    var backlog: OrderedDictionary<JobID, JobEvent> = [:]
    /// What the backlog takes.
    var size = 0
    /// The backlog itself had no room.
    var needsResync = false
  }

  private var watches: [RequestKey: Watch] = [:]
  private var byID: [JobID: Set<RequestKey>] = [:]
  private var byType: [TypeName: Set<RequestKey>] = [:]
  private var ofAll: Set<RequestKey> = []
  private var byConnection: [ConnectionID: Set<RequestKey>] = [:]
  private let backlogLimit: Int
  private let sizeLimit: Int
  /// What all backlogs take together.
  private(set) var size = 0

  /// A table that keeps at most `backlogLimit` changes for one watch, and `sizeLimit` bytes for all of them.
  init(backlogLimit: Int, sizeLimit: Int) {
    self.backlogLimit = backlogLimit
    self.sizeLimit = sizeLimit
  }

  var count: Int { watches.count }
  var isEmpty: Bool { watches.isEmpty }

  func count(of connection: ConnectionID) -> Int { byConnection[connection]?.count ?? 0 }

  /// A watch is asked for. False when there is one with this key.
  mutating func insert(_ key: RequestKey, _ selection: WatchSelection) -> Bool {
    guard watches[key] == nil else { return false }
    watches[key] = Watch(selection: selection)
    byConnection[key.connection, default: []].insert(key)
    return true
  }

  /// Its snapshot is taken: from now on it is told of changes, unless it was ended meanwhile.
  mutating func follow(_ key: RequestKey) {
    guard let selection = watches[key]?.selection else { return }
    watches[key]?.isFollowing = true
    for id in selection.ids { byID[id, default: []].insert(key) }
    for type in selection.types { byType[type, default: []].insert(key) }
    if selection.ids.isEmpty && selection.types.isEmpty { ofAll.insert(key) }
  }

  /// Ends a watch. False when there was none.
  @discardableResult
  mutating func remove(_ key: RequestKey) -> Bool {
    dropBacklog(of: key)
    guard let watch = watches.removeValue(forKey: key) else { return false }
    byConnection.remove(key, from: key.connection)
    guard watch.isFollowing else { return true }
    for id in watch.selection.ids { byID.remove(key, from: id) }
    for type in watch.selection.types { byType.remove(key, from: type) }
    ofAll.remove(key)
    return true
  }

  mutating func removeAll(of connection: ConnectionID) {
    for key in byConnection[connection] ?? [] { remove(key) }
  }

  /// The watches to be told of a change now. The rest of those it concerns, on connections that have no room,
  /// keep it until `drain`.
  mutating func publish(
    _ event: JobEvent, id: JobID, type: String, takesEvents: (ConnectionID) -> Bool
  ) -> [RequestKey] {
    if watches.isEmpty { return [] }
    var told: [RequestKey] = []
    for key in ofAll.union(byType[TypeName(type)] ?? []).union(byID[id] ?? []) {
      if takesEvents(key.connection) { told.append(key) } else { keep(event, of: id, for: key) }
    }
    return told
  }

  /// Changes were missed: the watches to be told now that they must begin again. The rest are told by `drain`.
  mutating func resync(takesEvents: (ConnectionID) -> Bool) -> [RequestKey] {
    var told: [RequestKey] = []
    for (key, watch) in watches where watch.isFollowing {
      dropBacklog(of: key)
      if takesEvents(key.connection) { told.append(key) } else { watches[key]?.needsResync = true }
    }
    return told
  }

  /// What waited for a connection that has room again.
  mutating func drain(_ connection: ConnectionID) -> [(RequestKey, JobEvent)] {
    var events: [(RequestKey, JobEvent)] = []
    for key in byConnection[connection] ?? [] {
      guard let watch = watches[key] else { continue }
      if watch.needsResync { events.append((key, .resync)) }
      for event in watch.backlog.values { events.append((key, event)) }
      dropBacklog(of: key)
      watches[key]?.needsResync = false
    }
    return events
  }

  private mutating func keep(_ event: JobEvent, of id: JobID, for key: RequestKey) {
    guard watches[key]?.needsResync == false else { return }
    let earlier = watches[key]?.backlog[id]
    let event = event.instead(of: earlier)
    watches[key]?.backlog[id] = event
    let grown = event.size - (earlier?.size ?? 0)
    watches[key]?.size += grown
    size += grown
    if let count = watches[key]?.backlog.count, count > backlogLimit || size > sizeLimit {
      dropBacklog(of: key)
      watches[key]?.needsResync = true
    }
  }

  private mutating func dropBacklog(of key: RequestKey) {
    size -= watches[key]?.size ?? 0
    watches[key]?.size = 0
    watches[key]?.backlog = [:]
  }
}

extension JobEvent {
  /// What is told when an earlier event of the job is not: that of a report has no result, and leaves it as it was.
  fileprivate func instead(of earlier: JobEvent?) -> JobEvent {
    guard case .changed(var job) = self, job.status == .processing, job.result == nil,
      case .changed(let before)? = earlier, before.attempt == job.attempt
    else { return self }
    job.result = before.result
    return .changed(job)
  }
}

extension Dictionary {
  /// Takes an element out of a set, and the set with its last.
  mutating func remove<Element>(_ element: Element, from key: Key) where Value == Set<Element> {
    self[key]?.remove(element)
    if self[key]?.isEmpty == true { self[key] = nil }
  }
}
