import JobBrokerClient

/// What a program under `jobctl work` says on its standard output, line by line:
///
/// - `::stage NAME` says what it is doing; the progress starts again at 0. `::stage` alone clears it.
/// - `::progress NUMBER` says how far that is, 0–100.
/// - The last line that is a JSON object is the job's result.
/// - Every other line is the program's own business.
struct ProgramOutput {
  /// What a line asks for.
  enum Report: Equatable {
    case stage(JobUpdate.Change)
    case progress(Double)
    /// A line that begins like a report and is none, and why.
    case malformed(String)
  }

  /// What came of the lines so far.
  enum Outcome: Equatable {
    case nothing
    /// A JSON object.
    case object(String)
    /// A line that begins like an object and is longer than a result may be, in bytes.
    case tooLarge(Int)
    /// A line that begins like an object and is nested deeper than a result may be.
    case tooDeep
  }

  /// The longest line that may be a report.
  static let lineLimit = 64 << 10

  private(set) var outcome = Outcome.nothing
  private var lines = LineSplitter(limit: ProgramOutput.lineLimit, objectLimit: Limits.payload)

  /// Takes in what the program wrote and calls `report` for each report in it.
  mutating func feed(_ bytes: some Collection<UInt8>, _ report: (Report) -> Void) {
    var ended: [LineSplitter.Line] = []
    lines.feed(bytes) { ended.append($0) }
    for line in ended { take(line, report) }
  }

  /// Takes in the end of the output.
  mutating func finish(_ report: (Report) -> Void) {
    var last: LineSplitter.Line?
    lines.finish { last = $0 }
    if let last { take(last, report) }
  }

  private mutating func take(_ line: LineSplitter.Line, _ report: (Report) -> Void) {
    let unindented = line.bytes.unindented
    switch unindented.first {
    case UInt8(ascii: "{"):
      if line.isCut {
        outcome = .tooLarge(line.length)
      } else if let text = String(validating: unindented, as: UTF8.self) {
        switch JSONText.kind(of: text) {
        case .object: outcome = .object(text)
        case .tooDeep: outcome = .tooDeep
        case .other: break
        }
      }
    case UInt8(ascii: ":"):
      guard !line.isCut, let text = String(validating: line.bytes, as: UTF8.self) else { return }
      if let found = ProgramOutput.report(text) { report(found) }
    default: break
    }
  }

  /// The report that a line is, if any.
  static func report(_ line: String) -> Report? {
    let words = line.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
    let argument = words.count > 1 ? trimmed(words[1]) : ""
    switch words.first {
    case "::stage":
      guard argument.utf8.count <= Limits.name, !argument.unicodeScalars.contains("\0") else {
        return .malformed("a stage has at most \(Limits.name) bytes")
      }
      return .stage(argument.isEmpty ? .clear : .set(argument))
    case "::progress":
      guard let progress = Double(argument), (0...100).contains(progress) else {
        return .malformed("progress is a number from 0 to 100, not '\(argument.prefix(32))'")
      }
      return .progress(progress)
    default: return nil
    }
  }

  private static func trimmed(_ text: Substring) -> String {
    let start = text.drop(while: \.isWhitespace)
    return String(start.reversed().drop(while: \.isWhitespace).reversed())
  }
}
