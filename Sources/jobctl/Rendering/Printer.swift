import JobBrokerClient

/// Prints what a command found: for a person, or for a script.
struct Printer {
  /// Whether a script reads it.
  var json: Bool
  var terminal = Terminal.current()

  /// Whether jobs that change are shown by a picture that is drawn again and again.
  var isLive: Bool { terminal.isInteractive && !json }

  /// Prints one object for a script, or a line for a person.
  func line(_ object: @autoclosure () -> JSONLine, _ text: @autoclosure () -> String) {
    json ? self.object(object()) : self.text(text())
  }

  /// Prints one object.
  func object(_ object: JSONLine) {
    text(object.text)
  }

  /// Prints a line.
  func text(_ text: String) {
    StandardStream.output.write(text + "\n")
  }

  /// Prints jobs: a line each for a script, a table for a person.
  func jobs(_ jobs: [Job], now: Timestamp = .now) {
    StandardStream.output.write(
      json
        ? jobs.map { JSONLine($0).text + "\n" }.joined()
        : JobText.table(jobs, now: now, terminal: terminal))
  }

  /// Prints a job that a command changed.
  func changed(_ job: Job) {
    line(JSONLine(job), "\(job.id) \(job.status.rawValue)")
  }

  /// Prints a table for a person.
  func table(_ table: Table) {
    StandardStream.output.write(table.rendered(for: terminal))
  }

  /// Says something to a person that is not the command's answer.
  func note(_ text: String) {
    StandardStream.error.write("jobctl: \(text)\n")
  }
}
