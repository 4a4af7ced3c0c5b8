/// What a handler knows of the job it works on, and how it reports.
public struct JobContext: Sendable {
  /// The job as it was claimed.
  public let job: Job

  /// Says what the handler is doing. Returns at once: reports that come faster than the broker takes them are
  /// merged, the latest wins.
  ///
  /// - Parameters:
  ///   - stage: at most 256 bytes.
  ///   - progress: 0–100 within the stage.
  /// - Throws: INVALID_ARGUMENT for a value out of range; STALE_CLAIM when the job is no longer this handler's.
  public func report(stage: JobUpdate.Change = .keep, progress: Double? = nil) async throws(JobError) {
    fatalError()
  }

  /// Whether the job was taken away or the worker is stopping, so that the handler should end. Its task is
  /// cancelled as well; this is for code that runs outside of the task.
  public var isCancelled: Bool { fatalError() }
}
