import JobBrokerClient

/// What a run of the closed loop came to.
struct BenchReport {
  var clients: Int
  var jobs: Int
  /// Bytes of metadata.
  var payload: Int
  /// Of the private broker; nil when the broker is not ours.
  var durability: Durability?
  var measured: BenchLoad.Measured
  /// CPU time of the broker's process during the run.
  var brokerCPU: Duration
  /// Commits during the run.
  var commits: Int

  var lifecyclesPerSecond: Double { Double(jobs) / max(measured.elapsed.inSeconds, 1e-9) }
  var cpuPerLifecycle: Double { brokerCPU.inSeconds * 1e6 / Double(jobs) }
  var isExact: Bool { measured.claims.isExact && measured.completions.isExact }

  var json: JSONLine {
    JSONLine {
      $0.add("clients", clients)
      $0.add("jobs", jobs)
      $0.add("payload", payload)
      $0.add("durability", durability?.rawValue)
      $0.add("seconds", measured.elapsed.inSeconds)
      $0.add("lifecycles_per_second", lifecyclesPerSecond)
      $0.add("broker_cpu_us_per_lifecycle", cpuPerLifecycle)
      $0.add("jobs_per_commit", Double(jobs) / Double(max(commits, 1)))
      $0.add("create", measured.create.json)
      $0.add("claim", measured.claim.json)
      $0.add("complete", measured.complete.json)
      $0.add("never_claimed", measured.claims.missing)
      $0.add("claimed_again", measured.claims.surplus)
      $0.add("never_completed", measured.completions.missing)
      $0.add("completed_again", measured.completions.surplus)
    }
  }

  func text(for terminal: Terminal) -> String {
    var table = Table(.left(""), .right("p50"), .right("p99"), .right("max"))
    table.rows = [
      [Styled("create")] + measured.create.cells(for: terminal),
      [Styled("claim")] + measured.claim.cells(for: terminal),
      [Styled("complete")] + measured.complete.cells(for: terminal),
    ]
    let rate = Styled("\(Quantity.grouped(Int(lifecyclesPerSecond))) lifecycles/s", .bold)
    return """
      \(clients) clients (\(clients / 2) create, \(clients - clients / 2) work), \(Quantity.grouped(jobs)) jobs, \
      \(payload) bytes of metadata\(durability.map { ", durability \($0.rawValue)" } ?? "")
      \(rate.rendered(terminal.hasColor)) in \(Quantity.duration(measured.elapsed)), \
      \(Quantity.fixed(Double(jobs) / Double(max(commits, 1)), decimals: 1)) jobs a commit
      broker CPU: \(Quantity.fixed(cpuPerLifecycle, decimals: 1)) \(Quantity.microseconds(terminal.hasUnicode)) a lifecycle

      \(table.rendered(for: terminal))
      \(verdict)

      """
  }

  private var verdict: String {
    guard !isExact else { return "each job was claimed and completed exactly once" }
    let (claims, completions) = (measured.claims, measured.completions)
    return """
      WRONG: \(claims.missing) jobs never claimed, \(claims.surplus) claimed again, \(completions.missing) never \
      completed, \(completions.surplus) completed again
      """
  }
}
