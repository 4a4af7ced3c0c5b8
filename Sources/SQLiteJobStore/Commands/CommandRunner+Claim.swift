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
    var heads: [Job] = []
    for type in try candidates(types) {
      if let head = try head(of: type) { heads.append(head) }
    }
    var jobs: [Job] = []
    var payload = 0
    while jobs.count < maxJobs,
      let best = heads.indices.min(by: { QueueKey(heads[$0]) < QueueKey(heads[$1]) })
    {
      var job = heads[best]
      payload += job.metadata?.utf8.count ?? 0
      if !jobs.isEmpty, payload > Self.claimedPayload { break }
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
      changes.append(.moved(QueueEntry(job)))
      jobs.append(job)
      if jobs.count == maxJobs { break }
      if let next = try head(of: job.type) { heads[best] = next } else { heads.remove(at: best) }
    }
    return jobs
  }

  /// The first claimable job of a type.
  private mutating func head(of type: String) throws(SQLiteError) -> Job? {
    try statements(.nextOfType).first([.text(type)]) { Job(row: $0, whole: true) }
  }

  /// The types to look at, each once.
  private mutating func candidates(_ wanted: [String]) throws(SQLiteError) -> [String] {
    if wanted.count == 1 { return wanted }
    if !wanted.isEmpty, wanted.count <= Self.fewTypes { return Array(Set(wanted)) }
    let present = try statements(.claimableTypes).all { $0.text(0) }
    return wanted.isEmpty ? present : Array(Set(present).intersection(wanted))
  }
}
