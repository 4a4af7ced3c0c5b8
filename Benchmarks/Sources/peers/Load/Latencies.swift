/// How long one kind of request took, in nanoseconds; exact, for a run keeps every time.
struct Latencies {
  private let sorted: [UInt64]

  init(_ times: [UInt64]) { sorted = times.sorted() }

  var count: Int { sorted.count }
  var median: UInt64 { percentile(50) }
  var p99: UInt64 { percentile(99) }
  var max: UInt64 { sorted.last ?? 0 }

  private func percentile(_ percent: Int) -> UInt64 {
    sorted.isEmpty ? 0 : sorted[min(sorted.count * percent / 100, sorted.count - 1)]
  }
}

extension Sequence<Double> {
  /// The middle value, or the mean of the two in the middle; 0 of nothing.
  var median: Double {
    let sorted = self.sorted()
    guard !sorted.isEmpty else { return 0 }
    return (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
  }
}
