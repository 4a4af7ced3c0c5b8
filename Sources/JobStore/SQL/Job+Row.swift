import JobModel

extension Job {
  /// A job from the columns of `JobColumns`, from column 0 on; nil when the row holds what the schema forbids.
  ///
  /// - Parameter whole: whether the metadata was read too.
  @inlinable
  public init?(row: some SQLRow, whole: Bool) {
    guard let id = row.id(1), let status = JobStatus(rawValue: row.text(3)) else { return nil }
    self.init(
      id: id, type: row.text(2), status: status, progress: row.real(5), stage: row.optionalText(6),
      metadata: whole ? row.text(24) : nil, result: row.optionalText(23), error: row.optionalText(7),
      retryCount: Int(row.integer(8)), maxRetries: Int(row.integer(9)), lostCount: Int(row.integer(10)),
      maxLost: Int(row.integer(11)), priority: Int32(clamping: row.integer(4)),
      notBefore: row.optionalTime(12), uniqueKey: row.optionalText(13), attempt: Int(row.integer(14)),
      worker: WorkerIdentity(row: row, from: 15), leaseExpiresAt: row.optionalTime(18),
      createdAt: row.time(19), updatedAt: row.time(20), startedAt: row.optionalTime(21),
      finishedAt: row.optionalTime(22), sequence: row.integer(0))
  }

  /// Bytes of the texts of the jobs that one claim reads: with a job that exceeds it by itself its reply still fits a
  /// frame.
  public static let claimedAtOnce = Limits.frame / 2

  /// The bytes of its texts that have no small limit, which count against `claimedAtOnce`.
  public var claimedSize: Int {
    (metadata?.utf8.count ?? 0) + (result?.utf8.count ?? 0) + (error?.utf8.count ?? 0)
      + (stage?.utf8.count ?? 0)
  }
}

extension WorkerIdentity {
  /// Name, pid and uid from three columns; nil when there was no worker.
  @inlinable
  public init?(row: some SQLRow, from column: Int) {
    guard let name = row.optionalText(column) else { return nil }
    self.init(
      name: name, pid: UInt32(truncatingIfNeeded: row.integer(column + 1)),
      uid: UInt32(truncatingIfNeeded: row.integer(column + 2)))
  }
}

extension AttemptRecord {
  /// A record from the columns of `JobStatement.history`; nil when the row holds what the schema forbids.
  public init?(row: some SQLRow) {
    guard let cause = AttemptCause(rawValue: row.text(6)) else { return nil }
    self.init(
      attempt: Int(row.integer(0)), worker: WorkerIdentity(row: row, from: 1), startedAt: row.time(4),
      endedAt: row.time(5), cause: cause, error: row.optionalText(7))
  }
}
