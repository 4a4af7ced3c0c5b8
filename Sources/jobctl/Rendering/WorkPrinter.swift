import Logging

/// Prints for `jobctl work`, whose jobs must neither wait for the reader of its output nor be lost with him.
struct WorkPrinter: Sendable {
  /// Whether a script reads it.
  let json: Bool
  let output: QueuedOutput
  let errors: QueuedOutput

  init(json: Bool) {
    self.json = json
    errors = QueuedOutput(.error)
    output = QueuedOutput(.output, notices: errors)
  }

  /// Prints how a job ended.
  func print(_ report: WorkReport) {
    output.write((json ? report.json.text : report.text) + "\n")
  }

  /// Says something to a person that is no job's ending.
  func note(_ text: String) {
    errors.write("jobctl: \(text)\n")
  }

  /// Waits for what is not written yet, but for nobody who does not read.
  func finish() {
    let lost = output.finish(patience: 2)
    if lost > 0 { note("nobody read the output: its last \(lost) bytes are lost") }
    errors.finish(patience: 2)
  }
}

/// Prints what the client logs, for a person.
struct LineLogHandler: LogHandler {
  /// Takes each line, with its line break.
  let write: @Sendable (String) -> Void
  var logLevel = Logger.Level.notice
  var metadata: Logger.Metadata = [:]

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let metadata = metadata.merging(event.metadata ?? [:]) { _, later in later }
    let details = metadata.sorted { $0.key < $1.key }.map { " \($0)=\($1)" }.joined()
    let level = event.level == .notice ? "" : "\(event.level): "
    write(Styled("jobctl: \(level)\(event.message)\(details)").text + "\n")
  }
}
