import JobBrokerClient

/// How soon a worker that is blocked in a claim has a job that is created.
struct WakeUp: Sendable {
  let jobs: BenchJobs

  /// What was measured.
  struct Measured: Sendable {
    /// From the create's reply to the job in the worker's hands; zero when the job came first.
    var afterReply = Latencies()
    /// From the create's request to the job in the worker's hands.
    var afterRequest = Latencies()
  }

  /// Creates the jobs one by one, each when the worker is known to be blocked.
  ///
  /// - Parameter worker: a client on the event loop of `producer`, with a name that no other worker has.
  func run(producer: JobBrokerClient, worker: JobBrokerClient) async throws -> Measured {
    try await withTaskExecutorPreference(producer.taskExecutor) {
      var measured = Measured()
      for index in 0..<jobs.count {
        async let arrival = nextJob(worker)
        while try await !isBlocked(worker, asSeenBy: producer) {}
        let requested = MonotonicClock.nanoseconds
        _ = try await producer.create(jobs.newJob(index))
        let replied = MonotonicClock.nanoseconds
        let arrived = try await arrival
        measured.afterReply.record([arrived > replied ? arrived - replied : 0])
        measured.afterRequest.record([arrived - requested])
      }
      return measured
    }
  }

  /// Claims and completes the next job.
  ///
  /// - Returns: when it was claimed.
  private func nextJob(_ worker: JobBrokerClient) async throws -> UInt64 {
    let request = ClaimRequest(types: [jobs.type], wait: .seconds(10))
    guard let job = try await worker.claim(request).first else {
      throw JobError(.unavailable, "No job came within 10 s.")
    }
    let arrived = MonotonicClock.nanoseconds
    try await worker.complete(job.id, attempt: job.attempt)
    return arrived
  }

  private func isBlocked(_ worker: JobBrokerClient, asSeenBy observer: JobBrokerClient) async throws -> Bool {
    let name = worker.configuration.workerName
    return try await observer.workers().workers.contains { $0.identity.name == name && $0.isWaiting }
  }
}
