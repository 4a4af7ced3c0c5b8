/// What a server answers to `/v3/pipeline`, as far as a batch needs it.
struct HranaResponse {
  /// Of the batch, if it was done.
  private(set) var result: HranaResult?
  /// Of a request that could not be done: the first.
  private(set) var error: HranaError?
}

/// What became of each step of a batch.
struct HranaResult: Sendable {
  struct Rows: Sendable {
    var rows: [HranaRow]
  }

  /// Nil: the step was skipped, or it failed.
  var stepResults: [Rows?]
  /// Nil: the step was skipped, or it succeeded.
  var stepErrors: [HranaError?]
}

/// An error as the server words it.
struct HranaError: Error, Sendable, Equatable, CustomStringConvertible {
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

// MARK: Reading them

extension HranaResponse {
  init(json bytes: [UInt8]) throws(JSONReader.Malformed) {
    var json = try JSONReader(bytes)
    try json.object { (json, name) throws(JSONReader.Malformed) in
      guard name == "results" else { return try json.skip() }
      try json.array { (json) throws(JSONReader.Malformed) in try addEntry(&json) }
    }
    try json.end()
  }

  /// The answer to one request of the pipeline.
  private mutating func addEntry(_ json: inout JSONReader) throws(JSONReader.Malformed) {
    try json.object { (json, name) throws(JSONReader.Malformed) in
      switch name {
      case "error":
        let error = try json.isNull() ? nil : HranaError(&json)
        if self.error == nil { self.error = error }
      case "response":
        try json.object { (json, name) throws(JSONReader.Malformed) in
          guard name == "result", result == nil else { return try json.skip() }
          result = try HranaResult(&json)
        }
      default: try json.skip()
      }
    }
  }
}

extension HranaResult {
  fileprivate init(_ json: inout JSONReader) throws(JSONReader.Malformed) {
    var results: [Rows?] = []
    var errors: [HranaError?] = []
    try json.object { (json, name) throws(JSONReader.Malformed) in
      switch name {
      case "step_results":
        try json.array { (json) throws(JSONReader.Malformed) in
          results.append(try json.isNull() ? nil : Rows(&json))
        }
      case "step_errors":
        try json.array { (json) throws(JSONReader.Malformed) in
          errors.append(try json.isNull() ? nil : HranaError(&json))
        }
      default: try json.skip()
      }
    }
    self.init(stepResults: results, stepErrors: errors)
  }
}

extension HranaResult.Rows {
  fileprivate init(_ json: inout JSONReader) throws(JSONReader.Malformed) {
    var rows: [HranaRow] = []
    try json.object { (json, name) throws(JSONReader.Malformed) in
      guard name == "rows" else { return try json.skip() }
      try json.array { (json) throws(JSONReader.Malformed) in rows.append(try HranaRow(&json)) }
    }
    self.init(rows: rows)
  }
}

extension HranaError {
  /// An error that stands alone, as the server words it of a stream that is no more; nil when it is something else.
  init?(json bytes: [UInt8]) {
    guard var json = try? JSONReader(bytes), let error = try? HranaError(&json) else { return nil }
    self = error
  }

  fileprivate init(_ json: inout JSONReader) throws(JSONReader.Malformed) {
    var (message, code): (String?, String?)
    try json.object { (json, name) throws(JSONReader.Malformed) in
      switch name {
      case "message": message = try json.string()
      case "code": code = try json.isNull() ? nil : json.string()
      default: try json.skip()
      }
    }
    guard let message else { throw json.malformed("message") }
    self.init(message: message, code: code)
  }
}
