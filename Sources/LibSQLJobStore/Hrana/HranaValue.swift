import FoundationEssentials
import JobModel
import JobStore

/// A value as Hrana carries it: integers as decimal texts, for JSON's numbers lose digits; blobs as base64.
enum HranaValue: Sendable, Equatable {
  case null
  case integer(Int64)
  case float(Double)
  case text(String)
  case blob([UInt8])
}

extension HranaValue {
  init(_ value: SQLValue) {
    switch value {
    case .integer(let integer): self = .integer(integer)
    case .real(let real): self = .float(real)
    case .text(let text): self = .text(text)
    case .id(let id): self = .blob(id.withBytes { Array($0) })
    case .null: self = .null
    }
  }
}

extension HranaValue {
  init(_ json: inout JSONReader) throws(JSONReader.Malformed) {
    var (type, text): (String?, String?)
    var real: Double?
    try json.object { (json, name) throws(JSONReader.Malformed) in
      switch name {
      case "type": type = try json.string()
      case "value", "base64":
        switch json.next {
        case UInt8(ascii: "\""): text = try json.string()
        // JSON has no infinity: the server says null.
        case UInt8(ascii: "n"): try json.skip()
        default: real = Double(try json.number())
        }
      default: try json.skip()
      }
    }
    switch (type, text) {
    case ("null", _): self = .null
    case ("integer", let text?):
      guard let integer = Int64(text) else { throw json.malformed("64-bit integer") }
      self = .integer(integer)
    case ("float", nil): self = .float(real ?? .nan)
    case ("text", let text?): self = .text(text)
    case ("blob", let text?):
      guard let bytes = Self.bytes(base64: text) else { throw json.malformed("base64") }
      self = .blob(bytes)
    default: throw json.malformed("value of a known type")
    }
  }

  /// Decodes base64 with or without padding: servers differ.
  static func bytes(base64 text: String) -> [UInt8]? {
    let digits = text.prefix { $0 != "=" }
    let padding = String(repeating: "=", count: (4 - digits.utf8.count % 4) % 4)
    return Data(base64Encoded: digits + padding).map { Array($0) }
  }
}

/// A row of a result. In a packed one, ids and real numbers are texts.
struct HranaRow: SQLRow, Sendable {
  let values: [HranaValue]

  init(_ json: inout JSONReader) throws(JSONReader.Malformed) {
    var values: [HranaValue] = []
    try json.array { (json) throws(JSONReader.Malformed) in values.append(try HranaValue(&json)) }
    self.values = values
  }

  /// A row from a JSON array of texts, integers and nulls; nil when it is none.
  init?(packed text: String) {
    var json = JSONReader(text)
    var values: [HranaValue] = []
    do throws(JSONReader.Malformed) {
      try json.array { (json) throws(JSONReader.Malformed) in
        switch json.next {
        case UInt8(ascii: "\""): values.append(.text(try json.string()))
        case UInt8(ascii: "n"):
          try json.skip()
          values.append(.null)
        default:
          guard let integer = Int64(try json.number()) else { throw json.malformed("64-bit integer") }
          values.append(.integer(integer))
        }
      }
      try json.end()
    } catch {
      return nil
    }
    self.values = values
  }

  func isNull(_ column: Int) -> Bool { values[column] == .null }

  func integer(_ column: Int) -> Int64 {
    if case .integer(let integer) = values[column] { integer } else { 0 }
  }

  func real(_ column: Int) -> Double {
    switch values[column] {
    case .float(let real): real
    case .integer(let integer): Double(integer)
    case .text(let text): Double(text) ?? 0
    case .null, .blob: 0
    }
  }

  func text(_ column: Int) -> String {
    if case .text(let text) = values[column] { text } else { "" }
  }

  func id(_ column: Int) -> JobID? {
    switch values[column] {
    case .blob(let bytes): bytes.withUnsafeBytes { JobID(bytes: $0) }
    case .text(let text): JobID(text)
    case .null, .integer, .float: nil
    }
  }
}
