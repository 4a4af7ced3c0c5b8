import JobModel

/// A parameter of a statement.
public enum SQLValue: Sendable, Equatable {
  /// An integer.
  case integer(Int64)
  /// A floating-point number.
  case real(Double)
  /// A text.
  case text(String)
  /// A job's id, as a blob of 16 bytes.
  case id(JobID)
  /// NULL.
  case null

  /// An integer.
  @inlinable public static func integer(_ value: Int) -> SQLValue { .integer(Int64(value)) }
  /// 1 or 0.
  @inlinable public static func flag(_ value: Bool) -> SQLValue { .integer(value ? 1 : 0 as Int64) }
  /// Milliseconds since the Unix epoch.
  @inlinable public static func time(_ value: Timestamp) -> SQLValue { .integer(value.milliseconds) }
  /// An integer or NULL.
  @inlinable public static func integer(_ value: Int?) -> SQLValue {
    value.map { .integer(Int64($0)) } ?? .null
  }
  /// A text or NULL.
  @inlinable public static func text(_ value: String?) -> SQLValue { value.map { .text($0) } ?? .null }
  /// A moment or NULL.
  @inlinable public static func time(_ value: Timestamp?) -> SQLValue { value.map { .time($0) } ?? .null }
}

/// One of the store's statements with its parameters, `?1` first.
public struct SQLStep: Sendable, Equatable {
  /// Which statement.
  public var statement: JobStatement
  /// Its parameters.
  public var values: [SQLValue]

  /// A step from its parts.
  public init(_ statement: JobStatement, _ values: [SQLValue] = []) {
    self.statement = statement
    self.values = values
  }
}

extension SQLStep {
  /// The statement for a filter, asking for one job more than wanted; nil when no job can match.
  public static func list(_ filter: JobFilter) -> SQLStep? {
    var values: [SQLValue] = [
      .integer(filter.cursor ?? .max), .integer(filter.limit + 1), .text(filter.status?.rawValue),
      .text(filter.type),
    ]
    if let prefix = filter.idPrefix, !prefix.isEmpty {
      guard prefix.utf8.count <= 32,
        let low = JobID(prefix + String(repeating: "0", count: 32 - prefix.utf8.count)),
        let high = JobID(prefix + String(repeating: "f", count: 32 - prefix.utf8.count))
      else { return nil }
      values += [.id(low), .id(high)]
      return SQLStep(.newestWithPrefix, values)
    }
    if filter.status != nil { return SQLStep(.newestOfStatus, values) }
    if filter.type != nil { return SQLStep(.newestOfType, [values[0], values[1], values[3]]) }
    return SQLStep(.newest, [values[0], values[1]])
  }
}

/// A row of a result, as a database driver hands it over. Columns count from 0.
public protocol SQLRow {
  /// Whether the column is NULL.
  func isNull(_ column: Int) -> Bool
  /// The column as an integer; 0 for NULL.
  func integer(_ column: Int) -> Int64
  /// The column as a floating-point number; 0 for NULL.
  func real(_ column: Int) -> Double
  /// The column as a text; empty for NULL.
  func text(_ column: Int) -> String
  /// The column as a job's id; nil when it is not a blob of 16 bytes.
  func id(_ column: Int) -> JobID?
}

extension SQLRow {
  /// The column as an integer, or nil for NULL.
  @inlinable public func optionalInteger(_ column: Int) -> Int64? { isNull(column) ? nil : integer(column) }
  /// The column as a text, or nil for NULL.
  @inlinable public func optionalText(_ column: Int) -> String? { isNull(column) ? nil : text(column) }
  /// The column as a moment, or nil for NULL.
  @inlinable public func optionalTime(_ column: Int) -> Timestamp? {
    isNull(column) ? nil : time(column)
  }
  /// The column as a moment.
  @inlinable public func time(_ column: Int) -> Timestamp { Timestamp(milliseconds: integer(column)) }
}
