/// The rounds of several peers under the same load, the first of them the one that the others are compared with.
struct Comparison {
  let clients: Int
  let names: [String]
  private var samples: [String: [Sample]] = [:]

  init(clients: Int, names: [String]) {
    self.clients = clients
    self.names = names
  }

  mutating func add(_ sample: Sample, of name: String) {
    samples[name, default: []].append(sample)
  }

  /// The first peer's rate by another's in the same round, of each round.
  func ratios(to name: String) -> [Double] {
    guard let first = names.first, let ours = samples[first], let theirs = samples[name] else { return [] }
    return zip(ours, theirs).map { $0.lifecyclesPerSecond / $1.lifecyclesPerSecond }
  }

  private func median(_ name: String, _ value: (Sample) -> Double) -> Double {
    (samples[name] ?? []).lazy.map(value).median
  }

  func text(title: String) -> String {
    var table = TextTable([
      title, "lifecycles/s", "ratio", "(min–max)", "create p50", "p99", "max", "claim p50", "p99", "max",
      "complete p50", "p99",
      "max", "server CPU", "generator CPU",
    ])
    for name in names {
      let ratios = ratios(to: name)
      let isFirst = name == names.first
      let latencies = [\Sample.create, \.claim, \.complete].flatMap { kind in
        let longest = (samples[name] ?? []).map { $0[keyPath: kind].max }.max() ?? 0
        return [
          median(name) { Double($0[keyPath: kind].median) }, median(name) { Double($0[keyPath: kind].p99) },
          Double(longest),
        ].map { Text.microseconds(nanoseconds: $0) }
      }
      table.rows.append(
        [
          name, Text.grouped(median(name, \.lifecyclesPerSecond)),
          isFirst ? "" : Text.fixed(ratios.median, 2),
          isFirst ? "" : "\(Text.fixed(ratios.min() ?? 0, 2))–\(Text.fixed(ratios.max() ?? 0, 2))",
        ] + latencies + [
          Text.fixed(median(name, \.serverCPU), 1), Text.fixed(median(name, \.generatorCPU), 1),
        ])
    }
    return table.text
  }

  func json(measure: String) -> [JSON] {
    names.map { name in
      var line = JSON()
      line.add("measure", measure)
      line.add("peer", name)
      line.add("clients", Double(clients))
      line.add("lifecycles_per_second", median(name, \.lifecyclesPerSecond))
      line.add("ratio", ratios(to: name).median)
      line.add("rounds", (samples[name] ?? []).map(\.lifecyclesPerSecond))
      line.add("ratios", ratios(to: name))
      for (kind, path) in [("create", \Sample.create), ("claim", \.claim), ("complete", \.complete)] {
        line.add("\(kind)_p50_ns", median(name) { Double($0[keyPath: path].median) })
        line.add("\(kind)_p99_ns", median(name) { Double($0[keyPath: path].p99) })
        line.add("\(kind)_max_ns", Double((samples[name] ?? []).map { $0[keyPath: path].max }.max() ?? 0))
      }
      line.add("server_cpu_us_per_lifecycle", median(name, \.serverCPU))
      line.add("generator_cpu_us_per_lifecycle", median(name, \.generatorCPU))
      return line
    }
  }
}
