import JobModel
import StoreModel

@testable import SQLiteJobStore

/// The queue as the SQLite store keeps it in memory, told of every change, and counted anew after each transaction.
struct Positions {
  private var index = QueueIndex()
  private let fault: Fault?

  init(of store: ModelStore, fault: Fault?) {
    self.fault = fault
    for job in store.jobs.values { add(job) }
    for type in store.pausedTypes { index.apply(.paused(type)) }
  }

  /// A command has changed jobs.
  mutating func follow(_ command: JobCommand, _ changes: [ModelStore.Change]) {
    for change in changes {
      switch (change.before, change.after) {
      case (nil, let job?): index.apply(.added(QueueEntry(job)))
      case (let job?, nil): index.apply(.removed(QueueEntry(job)))
      case (let before?, let job?) where before.status.isFinished && !job.status.isFinished:
        if fault != .revivedNotCounted { index.apply(.revived(QueueEntry(job), from: before.status)) }
      case (_?, let job?): index.apply(.moved(QueueEntry(job)))
      case (nil, nil): break
      }
    }
    switch command {
    case .pause(let type): index.apply(.paused(TypeName(type)))
    case .resume(let type): index.apply(.resumed(TypeName(type)))
    default: break
    }
  }

  /// The first job whose position is not what a count of those before it says; nil when there is none.
  func wrong(in store: ModelStore) -> String? {
    let queue = store.jobs.values.filter { $0.status == .pending }
      .sorted { (-Int($0.priority), $0.sequence) < (-Int($1.priority), $1.sequence) }
    var places: [String: Int] = [:]
    for (overall, job) in queue.enumerated() {
      let wanted = QueuePosition(overall: overall, inType: places[job.type, default: 0])
      let position = index.position(of: QueueKey(job), type: TypeName(job.type))
      if position != wanted { return "the position of \(job.id) is \(position), not \(wanted)" }
      places[job.type] = wanted.inType + 1
    }
    for job in store.jobs.values where job.status != .pending {
      let position = index.position(of: QueueKey(job), type: TypeName(job.type))
      if position != .none { return "\(job.id) is \(job.status) and has the position \(position)" }
    }
    return wrongCount(in: store)
  }

  private func wrongCount(in store: ModelStore) -> String? {
    var counts: [String: [JobStatus: Int]] = [:]
    for job in store.jobs.values { counts[job.type, default: [:]][job.status, default: 0] += 1 }
    for type in index.stats where type.counts.filter({ $0.value > 0 }) != counts[type.type] ?? [:] {
      return "of \(type.type) there are \(type.counts), not \(counts[type.type] ?? [:])"
    }
    return nil
  }

  private mutating func add(_ job: Job) {
    // A finished job enters as one that was pending and is finished now.
    var pending = job
    pending.status = .pending
    index.apply(.added(QueueEntry(pending)))
    index.apply(.moved(QueueEntry(job)))
  }
}
