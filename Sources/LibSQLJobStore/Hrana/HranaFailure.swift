/// Why a batch has no result.
enum HranaFailure: Error, Sendable, Equatable {
  /// The server can't be reached: the batch was not run.
  case unreachable(String)
  /// The server, or something before it, would not run the batch. `status` is HTTP's.
  case refused(status: Int, message: String)
  /// The server ran into an error that is not that of a step, and undid the batch.
  case failed(HranaError)
  /// The batch was sent and there is no answer, or none that makes sense: it may or may not have run.
  case lost(String)

  /// Whether other writers, a transaction that took long, or the size of the answer are all that is wrong: no reason
  /// for alarm.
  var isOrdinary: Bool {
    if case .failed(let error) = self { error.isPassing || error.isTooLarge } else { false }
  }

  /// Whether the batch may have been run.
  var isAmbiguous: Bool {
    switch self {
    case .lost: true
    case .refused(let status, _): status >= 500
    case .unreachable, .failed: false
    }
  }

  /// Whether the same may well succeed a moment later.
  var isPassing: Bool {
    switch self {
    case .lost: true
    case .refused(let status, _): status >= 500 || status == 429
    case .failed(let error): error.isPassing
    case .unreachable: false
    }
  }
}

extension HranaFailure: CustomStringConvertible {
  /// What happened, for a person; never with the token.
  var description: String {
    switch self {
    case .unreachable(let reason): "cannot be reached: \(reason)"
    case .refused(401, let message), .refused(403, let message):
      "refused TURSO_AUTH_TOKEN (is it set, valid, not expired, and allowed to write?): \(message)"
    case .refused(404, _): "knows no such database; check TURSO_DATABASE_URL"
    case .refused(429, _): "gets too many requests (HTTP 429)"
    case .refused(let status, let message): "answered with HTTP \(status): \(message)"
    case .failed(let error): "failed: \(error)"
    case .lost(let reason): "did not answer: \(reason)"
    }
  }
}
