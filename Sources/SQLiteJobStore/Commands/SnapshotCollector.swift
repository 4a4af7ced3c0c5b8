import JobModel

/// Gathers the jobs that a watch begins with: each once, in order of creation, and no more than fit into memory.
struct SnapshotCollector {
  /// Bytes of the jobs' texts that one snapshot may have.
  private static let sizeLimit = 8 << 20

  private let limit: Int
  private var jobs: [JobID: Job] = [:]
  private var size = 0

  /// A collector of at most `limit` jobs.
  init(limit: Int) { self.limit = limit }

  /// Whether there is room for more jobs. Without, the rest is left out, need not be read, and the snapshot says so.
  var hasRoom: Bool { size <= Self.sizeLimit && jobs.count <= limit }

  /// Takes a job in, if there is room.
  mutating func add(_ job: Job) {
    guard hasRoom, jobs.updateValue(job, forKey: job.id) == nil else { return }
    size += (job.result?.utf8.count ?? 0) + (job.error?.utf8.count ?? 0)
  }

  /// What was gathered.
  var reply: JobReply {
    let ordered = jobs.values.sorted { $0.sequence < $1.sequence }
    return .snapshot(Array(ordered.prefix(limit)), truncated: !hasRoom)
  }
}
