import HashTreeCollections
import JobModel

/// A pending job's place in the order of claims: higher priorities first, then older sequences.
struct QueueKey: Comparable, Sendable {
  let priority: Int32
  let sequence: Int64

  init(priority: Int32, sequence: Int64) {
    self.priority = priority
    self.sequence = sequence
  }

  init(_ job: Job) { self.init(priority: job.priority, sequence: job.sequence) }

  /// Behind all jobs.
  static let last = QueueKey(priority: .min, sequence: .max)

  static func < (a: QueueKey, b: QueueKey) -> Bool {
    a.priority == b.priority ? a.sequence < b.sequence : a.priority > b.priority
  }
}

/// What the store keeps in memory, so that positions and counters cost no query: the pending jobs in claim order
/// and the number of all others. It follows the database: each transaction's changes are applied after its COMMIT.
struct QueueIndex: Sendable {
  private struct OfType {
    var pending = RankedSet<QueueKey>()
    /// How many jobs have each other status.
    var processing = 0
    var complete = 0
    var failed = 0
    var cancelled = 0

    var isEmpty: Bool {
      pending.count == 0 && processing == 0 && complete == 0 && failed == 0 && cancelled == 0
    }

    mutating func add(_ number: Int, to status: JobStatus) {
      switch status {
      case .pending: break
      case .processing: processing += number
      case .complete: complete += number
      case .failed: failed += number
      case .cancelled: cancelled += number
      }
    }
  }

  private var types: [TypeName: OfType] = [:]
  private var pending = RankedSet<QueueKey>()
  private var pausedTypes: Set<TypeName> = []
  /// Types that a claim of any type looks at: all that have a job it may take, and some that have not, as when their
  /// jobs are delayed or paused. A tree, because each transaction has a copy with what it has changed itself.
  private(set) var candidateTypes: TreeSet<TypeName> = []

  init() {}

  /// The place of a pending job; `.none` for one that is not pending.
  func position(of key: QueueKey, type: TypeName) -> QueuePosition {
    guard let overall = pending.rank(of: key), let inType = types[type]?.pending.rank(of: key) else {
      return .none
    }
    return QueuePosition(overall: overall, inType: inType)
  }

  /// Whether there is any job of a type, pending or not.
  func hasJobs(ofType type: String) -> Bool { types[TypeName(type)] != nil }

  /// Counters of all types, in alphabetical order.
  var stats: [TypeStats] {
    Set(types.keys).union(pausedTypes).sorted().map { type in
      let known = types[type] ?? OfType()
      let counts: [JobStatus: Int] = [
        .pending: known.pending.count, .processing: known.processing, .complete: known.complete,
        .failed: known.failed, .cancelled: known.cancelled,
      ]
      return TypeStats(type: type.text, counts: counts, isPaused: pausedTypes.contains(type))
    }
  }
}

/// What a transaction changed or found, as the index must know it. Whatever lets a job be claimed is one.
enum QueueChange {
  /// There is a new job, pending.
  case added(QueueEntry)
  /// A job that was pending or processing is as it is here. Which of the two it was, the index knows.
  case moved(QueueEntry)
  /// A finished job, whose status was this, is pending again.
  case revived(QueueEntry, from: JobStatus)
  /// A job, which was like this, is gone.
  case removed(QueueEntry)
  /// Claims of a type are stopped.
  case paused(TypeName)
  /// Claims of a type are allowed again.
  case resumed(TypeName)
  /// Jobs of a type that were delayed may be claimed.
  case promoted(TypeName)
  /// No job of a type may be claimed.
  case exhausted(TypeName)

  /// Has every type of which a job may be claimed after it be among `candidateTypes`.
  func apply(to candidateTypes: inout TreeSet<TypeName>) {
    switch self {
    case .added(let job), .moved(let job), .revived(let job, from: _):
      if job.status == .pending { candidateTypes.insert(job.type) }
    case .resumed(let type), .promoted(let type): candidateTypes.insert(type)
    case .exhausted(let type): candidateTypes.remove(type)
    case .removed, .paused: break
    }
  }
}

/// What the index has to know of a job.
struct QueueEntry {
  let type: TypeName
  let key: QueueKey
  let status: JobStatus

  init(_ job: Job) {
    type = TypeName(job.type)
    key = QueueKey(job)
    status = job.status
  }
}

extension QueueIndex {
  /// Applies a change of a transaction that is committed.
  mutating func apply(_ change: QueueChange) {
    // At the end: a job that goes and comes back may have been the only one of its type.
    defer { change.apply(to: &candidateTypes) }
    switch change {
    case .added(let job): enter(job)
    case .moved(let job):
      leave(job)
      enter(job)
    case .revived(let job, let status):
      types[job.type, default: OfType()].add(-1, to: status)
      enter(job)
    case .removed(let job):
      if job.status.isFinished {
        types[job.type, default: OfType()].add(-1, to: job.status)
      } else {
        leave(job)
      }
      if types[job.type]?.isEmpty == true { types[job.type] = nil }
    case .paused(let type): pausedTypes.insert(type)
    case .resumed(let type): pausedTypes.remove(type)
    case .promoted, .exhausted: break
    }
  }

  /// Takes an unfinished job out.
  private mutating func leave(_ job: QueueEntry) {
    let wasPending = pending.remove(job.key)
    guard let type = types.index(forKey: job.type) else { return }
    if wasPending {
      types.values[type].pending.remove(job.key)
      if types.values[type].pending.count == 0 { candidateTypes.remove(job.type) }
    } else {
      types.values[type].processing -= 1
    }
  }

  private mutating func enter(_ job: QueueEntry) {
    guard job.status == .pending else { return types[job.type, default: OfType()].add(1, to: job.status) }
    pending.insert(job.key)
    types[job.type, default: OfType()].pending.insert(job.key)
  }
}

extension QueueIndex {
  /// What a database holds, as it is read when the store opens.
  struct Contents {
    var pending: [TypeName: [QueueKey]] = [:]
    var others: [TypeName: [JobStatus: Int]] = [:]
    var pausedTypes: Set<TypeName> = []
  }

  /// The index of a database.
  init(_ contents: consuming Contents) {
    var all: [QueueKey] = []
    all.reserveCapacity(contents.pending.values.reduce(0) { $0 + $1.count })
    for (type, keys) in contents.pending {
      let sorted = keys.sorted()
      all += sorted
      types[type, default: OfType()].pending = RankedSet(sorted: sorted)
      candidateTypes.insert(type)
    }
    if contents.pending.count > 1 { all.sort() }
    pending = RankedSet(sorted: all)
    for (type, counts) in contents.others {
      for (status, count) in counts { types[type, default: OfType()].add(count, to: status) }
    }
    pausedTypes = contents.pausedTypes
  }
}
