import JobModel
import JobStore

extension CommandRunner {
  /// `JobCommand.claim`: the best job among the first of each type, again and again.
  mutating func claim(
    types: [String], maxJobs: Int, lease: Duration, worker: WorkerIdentity, at now: Timestamp
  ) throws(SQLiteError) -> [Job] {
    var heads = try heads(of: candidates(types))
    var jobs: [Job] = []
    var payload = 0
    while let best = heads.indices.min(by: { heads[$0].key < heads[$1].key }) {
      guard var job = try next(of: heads[best].type) else {
        heads.remove(at: best)
        continue
      }
      payload += job.claimedSize
      if !jobs.isEmpty, payload > Job.claimedAtOnce { break }
      let values: [SQLValue] = [
        .integer(job.sequence), .time(now), .integer(lease.milliseconds), .time(now + lease),
        .text(worker.name), .integer(Int64(worker.pid)), .integer(Int64(worker.uid)),
      ]
      guard try statements.run(SQLStep(.claim, values)) else { break }
      job.status = .processing
      job.attempt += 1
      job.worker = worker
      job.leaseExpiresAt = now + lease
      job.startedAt = now
      job.updatedAt = now
      record(.moved(QueueEntry(job)))
      jobs.append(job)
      if jobs.count == maxJobs { break }
      if heads.count == 1 { continue }
      if let key = try nextKey(of: job.type) { heads[best].key = key } else { heads.remove(at: best) }
    }
    return jobs
  }

  /// The first claimable job of a type.
  private mutating func next(of type: String) throws(SQLiteError) -> Job? {
    try first(.nextOfType, of: type) { Job(row: $0, whole: true) }
  }

  /// Its place in the queue.
  private mutating func nextKey(of type: String) throws(SQLiteError) -> QueueKey? {
    try first(.nextKeyOfType, of: type) {
      QueueKey(priority: Int32(clamping: $0.integer(0)), sequence: $0.integer(1))
    }
  }

  private mutating func first<T>(
    _ statement: JobStatement, of type: String, _ decode: (Statement) -> T?
  ) throws(SQLiteError) -> T? {
    let first = try statements(statement).first([.text(type)], decode)
    if first == nil { record(.exhausted(TypeName(type))) }
    return first
  }

  /// The types and the places of their first jobs. One that has no other beside it needs no place; of the others, the
  /// jobs themselves, which may be large, are not read before they are chosen.
  private mutating func heads(of types: [String]) throws(SQLiteError) -> [(type: String, key: QueueKey)] {
    if types.count == 1 { return [(types[0], .last)] }
    var heads: [(type: String, key: QueueKey)] = []
    for type in types {
      if let key = try nextKey(of: type) { heads.append((type, key)) }
    }
    return heads
  }

  /// The types to look at, each once.
  private func candidates(_ wanted: [String]) -> [String] {
    switch wanted.count {
    case 0: candidateTypes.map(\.text)
    case 1: wanted
    default: candidateTypes.intersection(wanted.lazy.map { TypeName($0) }).map(\.text)
    }
  }
}
