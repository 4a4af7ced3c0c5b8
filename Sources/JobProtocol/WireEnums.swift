import CJobBrokerProto
import JobModel

extension JobStatus {
  /// The status of a wire value; nil for one that this version does not know.
  init?(_ wire: Jobbroker__Status) {
    switch wire {
    case JOBBROKER__STATUS__PENDING: self = .pending
    case JOBBROKER__STATUS__PROCESSING: self = .processing
    case JOBBROKER__STATUS__COMPLETE: self = .complete
    case JOBBROKER__STATUS__FAILED: self = .failed
    case JOBBROKER__STATUS__CANCELLED: self = .cancelled
    default: return nil
    }
  }

  var wire: Jobbroker__Status {
    switch self {
    case .pending: JOBBROKER__STATUS__PENDING
    case .processing: JOBBROKER__STATUS__PROCESSING
    case .complete: JOBBROKER__STATUS__COMPLETE
    case .failed: JOBBROKER__STATUS__FAILED
    case .cancelled: JOBBROKER__STATUS__CANCELLED
    }
  }
}

extension AttemptCause {
  /// The cause of a wire value; nil for one that this version does not know.
  init?(_ wire: Jobbroker__Cause) {
    switch wire {
    case JOBBROKER__CAUSE__CAUSE_FAILED: self = .failed
    case JOBBROKER__CAUSE__CAUSE_LOST: self = .lost
    case JOBBROKER__CAUSE__CAUSE_RELEASED: self = .released
    case JOBBROKER__CAUSE__CAUSE_CANCELLED: self = .cancelled
    default: return nil
    }
  }

  var wire: Jobbroker__Cause {
    switch self {
    case .failed: JOBBROKER__CAUSE__CAUSE_FAILED
    case .lost: JOBBROKER__CAUSE__CAUSE_LOST
    case .released: JOBBROKER__CAUSE__CAUSE_RELEASED
    case .cancelled: JOBBROKER__CAUSE__CAUSE_CANCELLED
    }
  }
}

extension JobError.Code {
  /// The code of a wire value. One that this version does not know counts as INTERNAL: it is a refusal in any case.
  init(_ wire: Jobbroker__ErrorCode) {
    switch wire {
    case JOBBROKER__ERROR_CODE__INVALID_ARGUMENT: self = .invalidArgument
    case JOBBROKER__ERROR_CODE__NOT_FOUND: self = .notFound
    case JOBBROKER__ERROR_CODE__STALE_CLAIM: self = .staleClaim
    case JOBBROKER__ERROR_CODE__JOB_FINISHED: self = .jobFinished
    case JOBBROKER__ERROR_CODE__ALREADY_EXISTS: self = .alreadyExists
    case JOBBROKER__ERROR_CODE__PERMISSION_DENIED: self = .permissionDenied
    case JOBBROKER__ERROR_CODE__RESOURCE_EXHAUSTED: self = .resourceExhausted
    case JOBBROKER__ERROR_CODE__UNAVAILABLE: self = .unavailable
    case JOBBROKER__ERROR_CODE__UNKNOWN_OUTCOME: self = .unknownOutcome
    case JOBBROKER__ERROR_CODE__UNSUPPORTED: self = .unsupported
    default: self = .internal
    }
  }

  var wire: Jobbroker__ErrorCode {
    switch self {
    case .invalidArgument: JOBBROKER__ERROR_CODE__INVALID_ARGUMENT
    case .notFound: JOBBROKER__ERROR_CODE__NOT_FOUND
    case .staleClaim: JOBBROKER__ERROR_CODE__STALE_CLAIM
    case .jobFinished: JOBBROKER__ERROR_CODE__JOB_FINISHED
    case .alreadyExists: JOBBROKER__ERROR_CODE__ALREADY_EXISTS
    case .permissionDenied: JOBBROKER__ERROR_CODE__PERMISSION_DENIED
    case .resourceExhausted: JOBBROKER__ERROR_CODE__RESOURCE_EXHAUSTED
    case .unavailable: JOBBROKER__ERROR_CODE__UNAVAILABLE
    case .unknownOutcome: JOBBROKER__ERROR_CODE__UNKNOWN_OUTCOME
    case .unsupported: JOBBROKER__ERROR_CODE__UNSUPPORTED
    case .internal: JOBBROKER__ERROR_CODE__INTERNAL
    }
  }
}
