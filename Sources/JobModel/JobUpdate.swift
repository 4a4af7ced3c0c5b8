/// A change of some fields of a job. Nil leaves a field as it is; an empty update is a heartbeat.
public struct JobUpdate: Sendable, Equatable {
  /// What happens to a field that may be absent.
  public enum Change: Sendable, Equatable {
    /// It stays as it is.
    case keep
    /// It becomes absent.
    case clear
    /// It becomes this.
    case set(String)
  }

  /// The new status.
  public var status: JobStatus?
  /// 0–100 within the stage.
  public var progress: Double?
  /// The new stage.
  public var stage: Change
  /// A JSON object as text.
  public var result: String?
  /// Why it failed.
  public var error: String?
  /// Automatic retries so far.
  public var retryCount: Int?

  /// An update; with no argument, a heartbeat.
  public init(
    status: JobStatus? = nil, progress: Double? = nil, stage: Change = .keep, result: String? = nil,
    error: String? = nil, retryCount: Int? = nil
  ) {
    self.status = status
    self.progress = progress
    self.stage = stage
    self.result = result
    self.error = error
    self.retryCount = retryCount
  }

  /// Whether it only reports (a heartbeat, progress, a stage): its loss would cost nobody work.
  public var isReport: Bool { status == nil && result == nil && error == nil && retryCount == nil }

  /// This update, then `later`: what the two come to when both only report.
  public func followed(by later: JobUpdate) -> JobUpdate {
    var both = self
    if let progress = later.progress { both.progress = progress }
    if later.stage != .keep { both.stage = later.stage }
    return both
  }
}
