import JobModel

extension MessageCodec {
  /// What the jobs of one response may add up to, by `encodedSize(of:)`, so that it fits into a frame.
  public static let jobsSize = Limits.frame - 64

  /// At most how many bytes a job takes in a response: its fields, and the tag and length around it. Whoever puts
  /// several jobs into one response (a page, a snapshot, claimed jobs) adds these up and stops before `jobsSize`.
  ///
  /// It costs no encoding: every number counts as its longest form.
  public static func encodedSize(of job: Job) -> Int {
    // The fields of fixed or bounded size take 191 bytes at most, what encloses the job 12.
    var size = 208 + job.type.utf8.count
    for text in [job.stage, job.metadata, job.result, job.error, job.uniqueKey, job.worker?.name] {
      size += text?.utf8.count ?? 0
    }
    for record in job.history { size += encodedSize(of: record) }
    return size
  }

  static func encodedSize(of record: AttemptRecord) -> Int {
    // Its numbers take 56 bytes at most, what encloses it 6.
    64 + (record.worker?.name.utf8.count ?? 0) + (record.error?.utf8.count ?? 0)
  }
}

extension Job {
  /// The job with the newest part of its history that keeps it within `size`; nil when it is too large without any.
  func withoutOldestHistory(withinSize size: Int) -> Job? {
    var job = self
    job.history = []
    var room = size - MessageCodec.encodedSize(of: job)
    guard room >= 0 else { return nil }
    let newest = history.reversed().prefix { record in
      room -= MessageCodec.encodedSize(of: record)
      return room >= 0
    }
    job.history = newest.reversed()
    return job
  }
}
