import FoundationEssentials
import JobStore

/// Statements that run one after the other on one connection, each only when its condition holds.
struct HranaBatch: Sendable {
  /// When a step runs. Nothing but `ok` and `not ok`, for a skipped step the server calls neither an error nor ok;
  /// and whether there is a transaction, for a grave error ends it, and what follows would be written for good.
  indirect enum Condition: Sendable {
    case ok(Int)
    case not(Condition)
    case all([Condition])
    case any([Condition])
    case isInTransaction
  }

  struct Step: Sendable {
    var sql: String
    var values: [HranaValue]
    var condition: Condition?
  }

  private(set) var steps: [Step] = []

  /// Adds a step and returns its number.
  @discardableResult
  mutating func add(_ sql: String, _ values: [SQLValue] = [], when condition: Condition? = nil) -> Int {
    steps.append(Step(sql: sql, values: values.map(HranaValue.init), condition: condition))
    return steps.count - 1
  }
}

extension HranaBatch {
  /// The body of a request to `/v3/pipeline`: the texts, each once, the batch, and `close`, without which the server
  /// keeps the stream open for a while, and has room for only so many.
  var pipelineJSON: [UInt8] {
    var json = JSONWriter()
    json.raw(#"{"requests":["#)
    var numbers: [String: Int] = [:]
    for step in steps where numbers[step.sql] == nil {
      json.raw(#"{"type":"store_sql","sql_id":"#)
      json.integer(numbers.count)
      json.raw(#","sql":"#)
      json.string(step.sql)
      json.raw("},")
      numbers[step.sql] = numbers.count
    }
    json.raw(#"{"type":"batch","batch":{"steps":["#)
    for (index, step) in steps.enumerated() {
      json.raw(index == 0 ? "{" : ",{")
      if let condition = step.condition {
        json.raw(#""condition":"#)
        json.condition(condition)
        json.raw(",")
      }
      json.raw(#""stmt":{"want_rows":true,"sql_id":"#)
      json.integer(numbers[step.sql] ?? 0)
      json.raw(#","args":["#)
      for (index, value) in step.values.enumerated() {
        if index > 0 { json.raw(",") }
        json.value(value)
      }
      json.raw("]}}")
    }
    json.raw(#"]}},{"type":"close"}]}"#)
    return json.bytes
  }
}

extension JSONWriter {
  fileprivate mutating func condition(_ condition: HranaBatch.Condition) {
    switch condition {
    case .ok(let step):
      raw(#"{"type":"ok","step":"#)
      integer(step)
      raw("}")
    case .isInTransaction: raw(#"{"type":"not","cond":{"type":"is_autocommit"}}"#)
    case .not(let inner):
      raw(#"{"type":"not","cond":"#)
      self.condition(inner)
      raw("}")
    case .all(let inner): conditions("and", inner)
    case .any(let inner): conditions("or", inner)
    }
  }

  private mutating func conditions(_ type: StaticString, _ conditions: [HranaBatch.Condition]) {
    raw(#"{"type":""#)
    raw(type)
    raw(#"","conds":["#)
    for (index, condition) in conditions.enumerated() {
      if index > 0 { raw(",") }
      self.condition(condition)
    }
    raw("]}")
  }

  fileprivate mutating func value(_ value: HranaValue) {
    switch value {
    case .null: raw(#"{"type":"null"}"#)
    case .integer(let value):
      raw(#"{"type":"integer","value":""#)
      integer(value)
      raw(#""}"#)
    case .float(let value) where value.isFinite:
      raw(#"{"type":"float","value":"#)
      real(value)
      raw("}")
    case .float: raw(#"{"type":"null"}"#)
    case .blob(let bytes):
      raw(#"{"type":"blob","base64":"#)
      string(Data(bytes).base64EncodedString())
      raw("}")
    case .text(let text):
      raw(#"{"type":"text","value":"#)
      string(text)
      raw("}")
    }
  }
}
