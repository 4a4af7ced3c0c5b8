import JobModel

/// What a handler knows of the job it works on, and how it reports.
public struct JobContext: Sendable {
  /// The job as it was claimed.
  public let job: Job

  let claim: HeldClaim
  let client: JobBrokerClient

  /// Says what the handler is doing. Returns at once: reports that come faster than the broker answers are merged,
  /// the latest wins.
  ///
  /// - Parameters:
  ///   - stage: at most 256 bytes.
  ///   - progress: 0–100 within the stage.
  /// - Throws: INVALID_ARGUMENT for a value out of range; STALE_CLAIM when the job is no longer this handler's.
  public func report(stage: JobUpdate.Change = .keep, progress: Double? = nil) async throws(JobError) {
    if let progress, !(0...100).contains(progress) {
      throw JobError(.invalidArgument, "progress is \(progress); it must be 0 to 100.")
    }
    if case .set(let name) = stage, name.utf8.count > Limits.name || name.utf8.contains(0) {
      throw JobError(.invalidArgument, "stage must be at most \(Limits.name) bytes, none of them 0.")
    }
    guard !claim.isOver else {
      throw JobError(.staleClaim, "Job \(job.id) is no longer held under attempt \(job.attempt).")
    }
    client.report(JobUpdate(progress: progress, stage: stage), of: claim)
  }

  /// Does something once the broker has taken how the job ended, or has not: then it is told why.
  package func onceTold(_ action: @escaping @Sendable (JobError?) -> Void) {
    claim.onceTold(action)
  }

  /// Whether the job was taken away or the calling task is cancelled, so that the handler should end. The handler's
  /// task is cancelled in both cases; this is for code that runs outside of it.
  public var isCancelled: Bool { claim.isOver || Task.isCancelled }
}
