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

  func add(_ wakeUp: WakeUp, name: String) {
    let afterRequest = Latencies(wakeUp.afterRequest)
    guard isJSON else {
      return StandardOutput.line(
        """

        \(name): a blocked claim has the job \(Text.fixed(wakeUp.afterReply(percentile: 50) / 1000, 0)) µs after the \
        create's reply (p99 \(Text.fixed(wakeUp.afterReply(percentile: 99) / 1000, 0))), \
        \(Text.microseconds(nanoseconds: Double(afterRequest.median))) µs after its request \
        (p99 \(Text.microseconds(nanoseconds: Double(afterRequest.p99)))); before the reply or with it in \
        \(Text.fixed(wakeUp.claimedFirst, 0)) %
        """)
    }
    var line = JSON()
    line.add("measure", "wake-up")
    line.add("peer", name)
    line.add("after_reply_p50_ns", wakeUp.afterReply(percentile: 50))
    line.add("after_reply_p99_ns", wakeUp.afterReply(percentile: 99))
    line.add("after_request_p50_ns", Double(afterRequest.median))
    line.add("after_request_p99_ns", Double(afterRequest.p99))
    line.add("claimed_first_percent", wakeUp.claimedFirst)
    StandardOutput.line(line.text)
  }

  func add(_ backlog: Backlog, name: String) {
    let ratios = zip(backlog.fromLong, backlog.fromShort).map { $0 / $1 }
    guard isJSON else {
      return StandardOutput.line(
        """

        \(name) with \(Text.grouped(Double(backlog.count))) pending jobs: ready \
        \(Text.fixed(Double(backlog.startUp) / Double(Clock.second), 2)) s after its start; position in \
        \(Text.microseconds(nanoseconds: Double(backlog.position.median))) µs \
        (p99 \(Text.microseconds(nanoseconds: Double(backlog.position.p99))), exact each time); \
        64 workers claim and complete \(Text.grouped(backlog.fromLong.median)) a second, from a short queue \
        \(Text.grouped(backlog.fromShort.median)) (ratio \(Text.fixed(ratios.median, 2)), \
        \(Text.fixed(ratios.min() ?? 0, 2))–\(Text.fixed(ratios.max() ?? 0, 2)))
        """)
    }
    var line = JSON()
    line.add("measure", "position")
    line.add("peer", name)
    line.add("pending", Double(backlog.count))
    line.add("start_up_ns", Double(backlog.startUp))
    line.add("position_p50_ns", Double(backlog.position.median))
    line.add("position_p99_ns", Double(backlog.position.p99))
    line.add("claims_per_second", backlog.fromLong)
    line.add("claims_per_second_short", backlog.fromShort)
    line.add("ratio", ratios.median)
    StandardOutput.line(line.text)
  }

  func add(_ machine: Machine) {
    guard isJSON else {
      return StandardOutput.line(
        """

        machine: \(machine.cores) cores; a durable write of 4 KiB \
        \(Text.microseconds(nanoseconds: Double(machine.durableWrite))) µs, a round trip between threads \
        \(Text.microseconds(nanoseconds: Double(machine.threadRoundTrip))) µs (medians)
        """)
    }
    var line = JSON()
    line.add("measure", "machine")
    line.add("cores", Double(machine.cores))
    line.add("durable_write_ns", Double(machine.durableWrite))
    line.add("thread_round_trip_ns", Double(machine.threadRoundTrip))
    StandardOutput.line(line.text)
  }

  func add(others: (processes: Double, host: Double)) {
    guard isJSON else {
      return StandardOutput.line(
        """
        during the run other processes had \(Text.fixed(others.processes, 1)) % of the CPU, the host took \
        \(Text.fixed(others.host, 1)) %
        """)
    }
    var line = JSON()
    line.add("measure", "others")
    line.add("processes_percent", others.processes)
    line.add("stolen_percent", others.host)
    StandardOutput.line(line.text)
  }

  /// A remark for people, beside the results.
  func note(_ text: String) { StandardError.line(text) }
}
