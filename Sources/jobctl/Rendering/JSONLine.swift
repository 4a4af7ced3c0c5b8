import JobBrokerClient

/// One JSON object on one line, written member by member.
struct JSONLine {
  private var body = ""

  /// The object.
  var text: String { "{\(body)}" }

  init() {}

  init(_ fill: (inout JSONLine) -> Void) {
    fill(&self)
  }

  mutating func add(_ key: String, _ value: String?) {
    guard let value else { return }
    add(key, raw: JSONLine.quoted(value))
  }

  mutating func add(_ key: String, _ value: (some BinaryInteger)?) {
    guard let value else { return }
    add(key, raw: "\(value)")
  }

  mutating func add(_ key: String, _ value: Bool) {
    add(key, raw: value ? "true" : "false")
  }

  /// A whole number is written without a fraction; what JSON can't say is left out.
  mutating func add(_ key: String, _ value: Double?) {
    guard let value, value.isFinite else { return }
    if let whole = Int64(exactly: value) { add(key, whole) } else { add(key, raw: "\(value)") }
  }

  /// ISO 8601.
  mutating func add(_ key: String, _ time: Timestamp?) {
    add(key, time?.iso8601)
  }

  mutating func add(_ key: String, _ object: JSONLine) {
    add(key, raw: object.text)
  }

  mutating func add(_ key: String, _ list: [JSONLine]) {
    add(key, raw: "[" + list.map(\.text).joined(separator: ",") + "]")
  }

  mutating func add(_ key: String, _ list: [String]) {
    add(key, raw: "[" + list.map(JSONLine.quoted).joined(separator: ",") + "]")
  }

  /// A value that is JSON already. It goes through as it is, numbers of any size included; only its line breaks,
  /// which JSON allows between tokens alone, become spaces, and what could steer a terminal, which it allows within
  /// strings alone, is escaped.
  mutating func add(_ key: String, json: String?) {
    guard let json else { return }
    let isPlain = json.utf8.allSatisfy { (0x20..<0x7F).contains($0) }
    add(key, raw: isPlain ? json : JSONLine.tamed(json))
  }

  private static func tamed(_ json: String) -> String {
    var tamed = ""
    for scalar in json.unicodeScalars {
      switch scalar {
      case "\n", "\r": tamed += " "
      case _ where steersTerminal(scalar): tamed += escaped(scalar)
      default: tamed.unicodeScalars.append(scalar)
      }
    }
    return tamed
  }

  private mutating func add(_ key: String, raw: String) {
    if !body.isEmpty { body += "," }
    body += JSONLine.quoted(key)
    body += ":"
    body += raw
  }

  /// A JSON string (RFC 8259 §7).
  static func quoted(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": quoted += "\\\""
      case "\\": quoted += "\\\\"
      case "\n": quoted += "\\n"
      case "\r": quoted += "\\r"
      case "\t": quoted += "\\t"
      case _ where scalar < " " || steersTerminal(scalar): quoted += escaped(scalar)
      default: quoted.unicodeScalars.append(scalar)
      }
    }
    return quoted + "\""
  }

  /// Whether JSON would have a character as it is, and a terminal obey it: DEL and the controls of C1, and those of the
  /// direction of writing.
  private static func steersTerminal(_ scalar: Unicode.Scalar) -> Bool {
    (0x7F...0x9F).contains(scalar.value) || scalar.value > 0x9F && scalar.properties.isBidiControl
  }

  private static func escaped(_ scalar: Unicode.Scalar) -> String {
    let digits = String(scalar.value, radix: 16)
    return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
  }
}
