import JobModel
import JobStore

extension CommandRunner {
  /// Metadata of one reply to a claim, in bytes: with a job that exceeds it by itself still within a frame.
  private static let claimedPayload = Limits.frame / 2
  /// A claim of more types than this looks first which of them have jobs.
  private static let fewTypes = 8

  /// `JobCommand.claim`: the best job among the first of each type, again and again.
  mutating func claim(
    types: [String], maxJobs: Int, lease: Duration, worker: WorkerIdentity, at now: Timestamp
  ) throws(SQLiteError) -> [Job] {
    var heads: [Head] = []
    for type in try candidates(types) {
      if let head = try head(of: type) { heads.append(head) }
    }
    var jobs: [Job] = []
    var payload = 0
    while jobs.count < maxJobs, let best = heads.indices.min(by: { heads[$0].key < heads[$1].key }) {
      let sequence = heads[best].key.sequence
      let row = try statements(.wholeJobBySequence).first([.integer(sequence)]) { Job(row: $0, whole: true) }
      guard var job = row else { break }
      payload += job.metadata?.utf8.count ?? 0
      if !jobs.isEmpty, payload > Self.claimedPayload { break }

      job.status = .processing
      job.attempt += 1
      job.worker = worker
      job.leaseExpiresAt = now + lease
      job.startedAt = now
      job.updatedAt = now
      let values: [SQLValue] = [
        .integer(sequence), .time(now), .integer(lease.milliseconds), .time(now + lease), .text(worker.name),
        .integer(Int64(worker.pid)), .integer(Int64(worker.uid)),
      ]
      guard try statements.run(SQLStep(.claim, values)) else { break }
      changes.append(.moved(QueueEntry(job)))
      jobs.append(job)

      if jobs.count == maxJobs { break }
      if let next = try head(of: heads[best].type) { heads[best] = next } else { heads.remove(at: best) }
    }
    return jobs
  }

  /// The first claimable job of a type.
  private struct Head {
    let type: String
    let key: QueueKey
  }

  private mutating func head(of type: String) throws(SQLiteError) -> Head? {
    try statements(.nextOfType).first([.text(type)]) { row in
      Head(type: type, key: QueueKey(priority: Int32(clamping: row.integer(1)), sequence: row.integer(0)))
    }
  }

  /// The types to look at, each once.
  private mutating func candidates(_ wanted: [String]) throws(SQLiteError) -> some Sequence<String> {
    if wanted.count == 1 { return Set(wanted) }
    if !wanted.isEmpty, wanted.count <= Self.fewTypes { return Set(wanted) }
    let present = Set(try statements(.claimableTypes).all { $0.text(0) })
    return wanted.isEmpty ? present : present.intersection(wanted)
  }
}
