/// Compares responses with what a session expects of them and remembers what the placeholders stand for.
/// See proto/vectors/README.md.
package struct Pattern {
  private var bindings: [String: JSON] = [:]

  /// A pattern whose placeholders stand for nothing yet.
  package init() {}

  /// A request with the placeholders replaced by what they stand for; one that stands for nothing yet stays.
  package func filled(_ json: JSON) -> JSON {
    switch json {
    case .string(let name): bindings[name] ?? json
    case .array(let values): .array(values.map(filled))
    case .object(let members): .object(members.mapValues(filled))
    default: json
    }
  }

  /// What about `actual` is not as `expected`, with its path; nil when all is.
  package mutating func mismatch(_ expected: JSON, _ actual: JSON?, at path: String = "") -> String? {
    if expected == .string("$absent") {
      return actual.map { "\(path) is \($0), but should be absent" }
    }
    guard let actual else { return "\(path) is absent, but should be \(expected)" }
    switch (expected, actual) {
    case (.string("$any"), _): return nil
    case (.string(let name), _) where name.hasPrefix("$"):
      if let value = bindings[name] { return mismatch(value, actual, at: path) }
      bindings[name] = actual
      return nil
    case (.object(let members), .string(let text)) where members["$contains"] != nil:
      let part = members["$contains"]?.string ?? ""
      return text.contains(part) ? nil : "\(path) is \(actual), but should contain \"\(part)\""
    case (.object(let members), .object):
      for (name, value) in members.sorted(by: { $0.key < $1.key }) {
        if let mismatch = mismatch(value, actual[name], at: path.isEmpty ? name : "\(path).\(name)") {
          return mismatch
        }
      }
      return nil
    case (.array(let values), .array(let others)) where values.count == others.count:
      for (index, pair) in zip(values, others).enumerated() {
        if let mismatch = mismatch(pair.0, pair.1, at: "\(path)[\(index)]") { return mismatch }
      }
      return nil
    default:
      if let number = expected.double, let other = actual.double, number == other { return nil }
      return expected == actual ? nil : "\(path) is \(actual), but should be \(expected)"
    }
  }
}
