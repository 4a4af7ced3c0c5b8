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

extension HranaValue: Decodable {
  private enum CodingKeys: CodingKey {
    case type, value, base64
  }

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    switch try container.decode(String.self, forKey: .type) {
    case "null": self = .null
    case "integer":
      guard let integer = Int64(try container.decode(String.self, forKey: .value)) else {
        throw DecodingError.dataCorruptedError(
          forKey: .value, in: container, debugDescription: "not a 64-bit integer")
      }
      self = .integer(integer)
    // JSON has no infinity: the server says null.
    case "float": self = .float(try container.decodeIfPresent(Double.self, forKey: .value) ?? .nan)
    case "text": self = .text(try container.decode(String.self, forKey: .value))
    case "blob":
      let text = try container.decode(String.self, forKey: .base64)
      guard let bytes = Self.bytes(base64: text) else {
        throw DecodingError.dataCorruptedError(
          forKey: .base64, in: container, debugDescription: "not base64")
      }
      self = .blob(bytes)
    case let type:
      throw DecodingError.dataCorruptedError(
        forKey: .type, in: container, debugDescription: "unknown type \(type)")
    }
  }

  /// Decodes base64 with or without padding: servers differ.
  static func bytes(base64 text: String) -> [UInt8]? {
    let digits = text.prefix { $0 != "=" }
    let padding = String(repeating: "=", count: (4 - digits.utf8.count % 4) % 4)
    return Data(base64Encoded: digits + padding).map { Array($0) }
  }
}

/// A row of a result.
struct HranaRow: SQLRow, Decodable, Sendable {
  let values: [HranaValue]

  init(from decoder: any Decoder) throws {
    values = try decoder.singleValueContainer().decode([HranaValue].self)
  }

  func isNull(_ column: Int) -> Bool { values[column] == .null }

  func integer(_ column: Int) -> Int64 {
    if case .integer(let integer) = values[column] { integer } else { 0 }
  }

  func real(_ column: Int) -> Double {
    switch values[column] {
    case .float(let real): real
    case .integer(let integer): Double(integer)
    case .null, .text, .blob: 0
    }
  }

  func text(_ column: Int) -> String {
    if case .text(let text) = values[column] { text } else { "" }
  }

  func id(_ column: Int) -> JobID? {
    guard case .blob(let bytes) = values[column] else { return nil }
    return bytes.withUnsafeBytes { JobID(bytes: $0) }
  }
}
