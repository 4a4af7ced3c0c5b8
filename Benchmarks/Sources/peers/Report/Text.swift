/// Numbers for people.
enum Text {
  static func fixed(_ value: Double, _ decimals: Int) -> String {
    var scale = 1.0
    for _ in 0..<decimals { scale *= 10 }
    let scaled = (abs(value) * scale).rounded()
    let whole = Int(scaled / scale)
    let sign = value < 0 && scaled > 0 ? "-" : ""
    guard decimals > 0 else { return "\(sign)\(whole)" }
    let rest = String(Int(scaled) - whole * Int(scale))
    return "\(sign)\(whole).\(String(repeating: "0", count: decimals - rest.count))\(rest)"
  }

  /// With a comma every three digits.
  static func grouped(_ value: Double) -> String {
    var digits = Array(fixed(value, 0))
    for place in stride(from: digits.count - 3, to: 0, by: -3) { digits.insert(",", at: place) }
    return String(digits)
  }

  static func microseconds(nanoseconds: Double) -> String { grouped(nanoseconds / 1000) }
}

/// Columns of text, the first to the left and the others to the right.
struct TextTable {
  private let head: [String]
  var rows: [[String]] = []

  init(_ head: [String]) { self.head = head }

  var text: String {
    let widths = head.indices.map { column in ([head] + rows).map { $0[column].count }.max() ?? 0 }
    return ([head] + rows).map { row in
      row.indices.map { column in
        let space = String(repeating: " ", count: widths[column] - row[column].count)
        return column == 0 ? row[column] + space : space + row[column]
      }.joined(separator: "  ")
    }.joined(separator: "\n")
  }
}

/// A JSON object on one line. Names and texts are this program's own or paths, without control characters.
struct JSON {
  private var members: [String] = []

  mutating func add(_ name: String, _ value: Double) { members.append("\(JSON.quoted(name)):\(value)") }

  mutating func add(_ name: String, _ values: [Double]) {
    members.append("\(JSON.quoted(name)):[\(values.map { "\($0)" }.joined(separator: ","))]")
  }

  mutating func add(_ name: String, _ value: String) {
    members.append("\(JSON.quoted(name)):\(JSON.quoted(value))")
  }

  var text: String { "{\(members.joined(separator: ","))}" }

  private static func quoted(_ text: String) -> String {
    "\"" + text.flatMap { $0 == "\"" || $0 == "\\" ? ["\\", $0] : [$0] } + "\""
  }
}
