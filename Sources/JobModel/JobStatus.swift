/// Where a job is in its life. See `docs/job-states.md`.
public enum JobStatus: String, Sendable, CaseIterable {
  /// Waiting to be claimed.
  case pending
  /// Claimed: a worker holds it.
  case processing
  /// Finished with success.
  case complete
  /// Finished without success.
  case failed
  /// Called off before it finished.
  case cancelled

  /// Whether the job has ended; only `retry` and deletion change a finished job.
  public var isFinished: Bool {
    switch self {
    case .pending, .processing: false
    case .complete, .failed, .cancelled: true
    }
  }
}

/// Why an attempt ended without success.
public enum AttemptCause: String, Sendable, CaseIterable {
  /// The worker, an operator or the reaper failed it.
  case failed
  /// The worker's lease ran out.
  case lost
  /// The job was given back unharmed.
  case released
  /// The job was cancelled.
  case cancelled
}
