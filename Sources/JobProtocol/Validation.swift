import CProtobufC
import JobModel

/// What requests may say. Each refusal names the field, what is allowed and what was given.
extension Field {
  /// A text of at most `limit` bytes; nil when it is absent.
  func text(_ text: WireText, limit: Int) throws(JobError) -> String? {
    guard let text else { return nil }
    let string = String(cString: text)
    guard string.utf8.count <= limit else {
      throw invalid("is \(string.utf8.count) bytes long; at most \(limit) are allowed")
    }
    return string
  }

  /// A text that is not empty; nil when it is absent.
  func nonEmptyText(_ text: WireText, limit: Int) throws(JobError) -> String? {
    let string = try self.text(text, limit: limit)
    guard string?.isEmpty != true else {
      throw invalid("is empty; it must have 1 to \(limit) bytes, or be absent")
    }
    return string
  }

  /// A name that people see in tables; nil when it is absent.
  func name(_ text: WireText) throws(JobError) -> String? {
    let string = try self.text(text, limit: Limits.name)
    if let byte = string?.utf8.first(where: { $0 < 0x20 || $0 == 0x7F }) {
      throw invalid("contains the control character \(byte), which is not allowed")
    }
    return string
  }

  /// A job's type; nil when it is absent.
  func type(_ text: WireText) throws(JobError) -> String? {
    let type = try name(text)
    guard type?.isEmpty != true else { throw invalid("is empty; it must have 1 to \(Limits.name) bytes") }
    return type
  }

  /// A job's type, which must be present.
  func requiredType(_ text: WireText) throws(JobError) -> String {
    guard let type = try type(text) else { throw missing }
    return type
  }

  /// Job types, each as `type(_:)`.
  func types(
    _ count: Int, _ texts: UnsafeMutablePointer<WireText>?
  ) throws(JobError) -> [String] {
    try selection(count)
    var types: [String] = []
    types.reserveCapacity(count)
    for text in UnsafeBufferPointer(start: texts, count: count) { types.append(try requiredType(text)) }
    return types
  }

  /// The number of types or ids of a selection.
  func selection(_ count: Int) throws(JobError) {
    guard count <= Limits.selection else {
      throw invalid("has \(count) entries; at most \(Limits.selection) are allowed")
    }
  }

  /// 0 to 100; nil when it is absent.
  func progress(_ isPresent: protobuf_c_boolean, _ value: Double) throws(JobError) -> Double? {
    guard isPresent != 0 else { return nil }
    guard value >= 0, value <= 100 else { throw invalid("is \(value); it must be a number from 0 to 100") }
    return value
  }

  /// A fence; nil when it is absent.
  func attempt(_ isPresent: protobuf_c_boolean, _ value: UInt32) throws(JobError) -> Int? {
    guard isPresent != 0 else { return nil }
    guard value >= 1 else { throw invalid("is 0; attempts are counted from 1; leave it out for no fence") }
    return Int(value)
  }

  /// A number within `range`; nil when it is absent.
  func number(
    _ isPresent: protobuf_c_boolean, _ value: UInt32, in range: ClosedRange<Int>
  ) throws(JobError) -> Int? {
    guard isPresent != 0 else { return nil }
    guard range.contains(Int(value)) else {
      throw invalid("is \(value); it must be \(range.lowerBound) to \(range.upperBound)")
    }
    return Int(value)
  }

  /// A duration in milliseconds, cut to `Limits.longestWait`; nil when it is absent.
  func duration(_ isPresent: protobuf_c_boolean, _ milliseconds: UInt64) -> Duration? {
    isPresent != 0 ? min(.milliseconds(Int64(clamping: milliseconds)), Limits.longestWait) : nil
  }

  /// A duration that must be present, as `duration(_:_:)`.
  func requiredDuration(_ isPresent: protobuf_c_boolean, _ milliseconds: UInt64) throws(JobError) -> Duration
  {
    guard let duration = duration(isPresent, milliseconds) else { throw missing }
    return duration
  }

  /// A lease in milliseconds; nil when it is absent.
  func lease(_ isPresent: protobuf_c_boolean, _ milliseconds: UInt64) throws(JobError) -> Duration? {
    guard isPresent != 0 else { return nil }
    let lease = Duration.milliseconds(Int64(clamping: milliseconds))
    guard Limits.lease.contains(lease) else {
      let range = Limits.lease
      throw invalid(
        "is \(milliseconds); it must be \(range.lowerBound.milliseconds) to \(range.upperBound.milliseconds)")
    }
    return lease
  }

  /// A moment, not before 1970; nil when it is absent.
  func moment(_ isPresent: protobuf_c_boolean, _ milliseconds: Int64) throws(JobError) -> Timestamp? {
    guard isPresent != 0 else { return nil }
    guard milliseconds >= 0 else {
      throw invalid("is \(milliseconds); it must be Unix milliseconds, 0 or more")
    }
    return Timestamp(milliseconds: milliseconds)
  }

  /// The beginning of an id's hexadecimal digits, in lower case; nil when it is absent.
  func idPrefix(_ text: WireText) throws(JobError) -> String? {
    guard let text else { return nil }
    let prefix = String(cString: text)
    guard (1...32).contains(prefix.utf8.count), prefix.allSatisfy({ $0.isASCII && $0.isHexDigit }) else {
      throw invalid("must be 1 to 32 hexadecimal digits, without dashes")
    }
    return prefix.lowercased()
  }

  /// An absolute path.
  func path(_ text: WireText) throws(JobError) -> String {
    guard let path = try self.text(text, limit: Limits.path) else { throw missing }
    guard path.hasPrefix("/") else { throw invalid("must be an absolute path: it begins with a slash") }
    return path
  }
}
