import JobBrokerClient

/// The jobs of one run: ids that tell which is which, and a type that nobody else has.
struct BenchJobs: Sendable {
  let count: Int
  let type: String
  /// A JSON object of the size asked for, or a little more when that is too small for one.
  let metadata: String
  private let base: JobID

  /// - Parameters:
  ///   - count: fewer than 2³².
  ///   - payload: bytes of metadata.
  init(count: Int, payload: Int) {
    let start = JobID.timeOrdered()
    self.count = count
    self.type = "bench-\(start.hexadecimal.suffix(12))"
    self.metadata = #"{"p":"\#(String(repeating: "x", count: max(payload - 8, 0)))"}"#
    self.base = JobID(high: start.high, low: start.low & ~0xFFFF_FFFF)
  }

  /// The job of a number from 0 up to `count`.
  func newJob(_ index: Int) -> NewJob {
    NewJob(id: JobID(high: base.high, low: base.low | UInt64(index)), type: type, metadata: metadata)
  }

  /// The number of a job; nil when it is none of these.
  func index(of id: JobID) -> Int? {
    guard id.high == base.high, id.low & ~0xFFFF_FFFF == base.low else { return nil }
    let index = Int(id.low & 0xFFFF_FFFF)
    return index < count ? index : nil
  }

  /// Calls off what a run has not finished, for only what is finished can be pruned; first what is held, which may come back
  /// to the queue meanwhile.
  func cancelUnfinished(_ client: JobBrokerClient) async throws {
    for status in [JobStatus.processing, .pending] {
      while true {
        let page = try await client.list(JobFilter(status: status, type: type, limit: Limits.page))
        if page.jobs.isEmpty { break }
        try await withThrowingTaskGroup(of: Void.self) { group in
          for job in page.jobs { group.addTask { try await client.cancel(job.id) } }
          try await group.waitForAll()
        }
      }
    }
  }
}

/// Whether each job of a run was had exactly once.
struct Census: Equatable, Sendable {
  /// Jobs nobody had.
  var missing = 0
  /// Times a job was had again, and jobs that are none of the run's.
  var surplus = 0

  init(_ had: some Sequence<Int?>, count: Int) {
    var times = [UInt32](repeating: 0, count: count)
    for index in had {
      guard let index else {
        surplus += 1
        continue
      }
      times[index] += 1
      if times[index] > 1 { surplus += 1 }
    }
    missing = times.count { $0 == 0 }
  }

  var isExact: Bool { missing == 0 && surplus == 0 }
}
