/// Where results go, as they come.
struct Report {
  let isJSON: Bool

  func add(_ comparison: Comparison, measure: String, title: String) {
    if isJSON {
      for line in comparison.json(measure: measure) { StandardOutput.line(line.text) }
    } else {
      StandardOutput.line("\n\(comparison.text(title: title))")
    }
  }

  func add(_ machine: Machine) {
    guard isJSON else {
      return StandardOutput.line(
        """
        \(machine.cores) cores; a durable write of 4 KiB \(Text.microseconds(nanoseconds: Double(machine.durableWrite))) µs, \
        a round trip between threads \(Text.microseconds(nanoseconds: Double(machine.threadRoundTrip))) µs (medians)
        times are in µs, CPU in µs a lifecycle; ratio: the first one's rate by that of the line, median of the rounds
        """)
    }
    var line = JSON()
    line.add("measure", "machine")
    line.add("cores", Double(machine.cores))
    line.add("durable_write_ns", Double(machine.durableWrite))
    line.add("thread_round_trip_ns", Double(machine.threadRoundTrip))
    StandardOutput.line(line.text)
  }

  func addSteal(_ machine: Machine) {
    guard isJSON else {
      return StandardOutput.line(
        "\nstolen by the host during the run: \(Text.fixed(machine.stolenPercent, 1)) %")
    }
    var line = JSON()
    line.add("measure", "steal")
    line.add("percent", machine.stolenPercent)
    StandardOutput.line(line.text)
  }

  /// A remark for people, beside the results.
  func note(_ text: String) { StandardError.line(text) }
}
