/// What a server answers to `/v3/pipeline`, as far as a batch needs it.
struct HranaResponse: Decodable {
  struct Entry: Decodable {
    struct Response: Decodable {
      var result: HranaResult?
    }
    /// Of a request that was done.
    var response: Response?
    /// Of a request that could not be done.
    var error: HranaError?
  }

  var results: [Entry]
}

/// What became of each step of a batch.
struct HranaResult: Decodable, Sendable {
  struct Rows: Decodable, Sendable {
    var rows: [HranaRow]
  }

  /// Nil: the step was skipped, or it failed.
  var stepResults: [Rows?]
  /// Nil: the step was skipped, or it succeeded.
  var stepErrors: [HranaError?]

  private enum CodingKeys: String, CodingKey {
    case stepResults = "step_results"
    case stepErrors = "step_errors"
  }
}

/// An error as the server words it.
struct HranaError: Error, Decodable, Sendable, Equatable, CustomStringConvertible {
  var message: String
  var code: String?

  var description: String { code.map { "\(message) (\($0))" } ?? message }

  /// Whether another connection was writing for too long.
  var isBusy: Bool { code?.hasPrefix("SQLITE_BUSY") == true || message.contains("database is locked") }

  /// Whether the same may well succeed a moment later: others were writing, or the server ended the stream or the
  /// transaction before it was done, which it does to those that take long.
  var isPassing: Bool { isBusy || code == "STREAM_EXPIRED" || code == "TRANSACTION_TIMEOUT" }

  /// Whether the rows were more than the server sends in one response; it has undone the batch then.
  var isTooLarge: Bool { code == "RESPONSE_TOO_LARGE" }
}
