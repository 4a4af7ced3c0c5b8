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
    for record in job.history {
      // Its numbers take 56 bytes at most, what encloses it 6.
      size += 64 + (record.worker?.name.utf8.count ?? 0) + (record.error?.utf8.count ?? 0)
    }
    return size
  }
}

extension Job {
  /// The job with the newest part of its history that keeps it within `size`; nil when it is too large without any.
  func withoutOldestHistory(withinSize size: Int) -> Job? {
    var job = self
    while MessageCodec.encodedSize(of: job) > size {
      guard !job.history.isEmpty else { return nil }
      job.history.removeFirst((job.history.count + 1) / 2)
    }
    return job
  }
}
