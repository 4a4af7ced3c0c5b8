/// The one error of the broker, its store and its clients.
public struct JobError: Error, Sendable, Equatable {
  /// What kind of error it is; the wire has the same list.
  public enum Code: String, Sendable, CaseIterable {
    /// The request is malformed; the message names the field.
    case invalidArgument = "INVALID_ARGUMENT"
    /// There is no such job.
    case notFound = "NOT_FOUND"
    /// The claim is no longer valid; `job` is the job as it is.
    case staleClaim = "STALE_CLAIM"
    /// The job has finished; `job` is the job as it is.
    case jobFinished = "JOB_FINISHED"
    /// The id belongs to a job with other content, the unique key to another job, or there is a file of that name.
    case alreadyExists = "ALREADY_EXISTS"
    /// This peer may not do that.
    case permissionDenied = "PERMISSION_DENIED"
    /// A limit or the disk is used up.
    case resourceExhausted = "RESOURCE_EXHAUSTED"
    /// Not now: the broker is draining, its disk is full, or it can't be reached. Try again.
    case unavailable = "UNAVAILABLE"
    /// The commit failed and may or may not have happened: read the job again.
    case unknownOutcome = "UNKNOWN_OUTCOME"
    /// The broker does not know this operation, value or version.
    case unsupported = "UNSUPPORTED"
    /// A fault of the broker.
    case `internal` = "INTERNAL"
  }

  /// What kind of error it is.
  public var code: Code
  /// What is wrong and what to do, for a person.
  public var message: String
  /// The job as it is, where the code promises it; without metadata and result.
  public var job: Job? { boxed?.job }

  private var boxed: Box?

  /// An error from its parts.
  public init(_ code: Code, _ message: String, job: Job? = nil) {
    self.code = code
    self.message = message
    self.boxed = job.map(Box.init)
  }

  /// Keeps the error, and so every `Result` with it, a few words wide.
  private final class Box: Sendable, Equatable {
    let job: Job
    init(job: Job) { self.job = job }
    static func == (a: Box, b: Box) -> Bool { a.job == b.job }
  }
}

extension JobError: CustomStringConvertible {
  /// The code and the message.
  public var description: String { "\(code.rawValue): \(message)" }
}

extension JobError {
  /// There is no job `id`. The wording is the original store's.
  public static func notFound(_ id: JobID) -> JobError { JobError(.notFound, "Job \(id) not found") }
}
