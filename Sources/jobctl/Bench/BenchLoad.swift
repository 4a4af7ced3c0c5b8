import JobBrokerClient
import Synchronization

/// A closed loop: each client has one request at a time under way. Half of them create, half claim and complete.
///
/// The load shares its cores with the broker, so it is to be cheap: all clients and their tasks live on one event
/// loop, the clock is read once a request (the end of one is the beginning of the next), and times are only
/// appended to arrays until the run is over.
struct BenchLoad: Sendable {
  let jobs: BenchJobs

  /// What was measured.
  struct Measured: Sendable {
    var create = Latencies()
    /// With the wait for a job, where there was none yet.
    var claim = Latencies()
    var complete = Latencies()
    /// From the first request to the last completion.
    var elapsed: Duration = .zero
    var claims: Census
    var completions: Census
  }

  /// Claims that come back empty before a worker believes that nothing comes any more.
  private static let patience = 10
  private static let wait: Duration = .seconds(1)

  private final class Tally: Sendable {
    let completed = Atomic(0)
  }

  private enum Part: Sendable {
    case producer([UInt64])
    case worker(WorkerPart)
  }

  private struct WorkerPart: Sendable {
    var claimTimes: [UInt64] = []
    var completeTimes: [UInt64] = []
    var claimed: [Int?] = []
    var completed: [Int?] = []
    var end: UInt64 = 0
  }

  /// Drives the load through clients on one event loop, 2 or more.
  func run(_ clients: [JobBrokerClient]) async throws -> Measured {
    let producers = clients.count / 2
    let tally = Tally()
    let start = MonotonicClock.nanoseconds
    let parts = try await withTaskExecutorPreference(clients[0].taskExecutor) {
      try await withThrowingTaskGroup(of: Part.self) { tasks in
        for (index, client) in clients.enumerated() {
          if index < producers {
            tasks.addTask {
              .producer(try await produce(client, stride(from: index, to: jobs.count, by: producers)))
            }
          } else {
            tasks.addTask { .worker(try await work(client, tally)) }
          }
        }
        return try await tasks.reduce(into: []) { $0.append($1) }
      }
    }
    return measured(parts, since: start)
  }

  private func produce(_ client: JobBrokerClient, _ indexes: StrideTo<Int>) async throws -> [UInt64] {
    var times: [UInt64] = []
    times.reserveCapacity(indexes.underestimatedCount)
    var before = MonotonicClock.nanoseconds
    for index in indexes {
      _ = try await client.create(jobs.newJob(index))
      let now = MonotonicClock.nanoseconds
      times.append(now - before)
      before = now
    }
    return times
  }

  private func work(_ client: JobBrokerClient, _ tally: Tally) async throws -> WorkerPart {
    var part = WorkerPart()
    let request = ClaimRequest(types: [jobs.type], wait: BenchLoad.wait)
    var emptyClaims = 0
    var before = MonotonicClock.nanoseconds
    while tally.completed.load(ordering: .relaxed) < jobs.count && emptyClaims < BenchLoad.patience {
      let claimed = try await client.claim(request)
      let now = MonotonicClock.nanoseconds
      guard let job = claimed.first else {
        emptyClaims += 1
        before = now
        continue
      }
      emptyClaims = 0
      let index = jobs.index(of: job.id)
      part.claimTimes.append(now - before)
      part.claimed.append(index)

      try await client.complete(job.id, attempt: job.attempt)
      part.end = MonotonicClock.nanoseconds
      part.completeTimes.append(part.end - now)
      part.completed.append(index)
      before = part.end
      tally.completed.add(1, ordering: .relaxed)
    }
    return part
  }

  private func measured(_ parts: [Part], since start: UInt64) -> Measured {
    let workers = parts.compactMap { if case .worker(let part) = $0 { part } else { nil } }
    var measured = Measured(
      claims: Census(workers.lazy.flatMap(\.claimed), count: jobs.count),
      completions: Census(workers.lazy.flatMap(\.completed), count: jobs.count))
    for part in parts {
      switch part {
      case .producer(let times): measured.create.record(times)
      case .worker(let part):
        measured.claim.record(part.claimTimes)
        measured.complete.record(part.completeTimes)
      }
    }
    let end = workers.map(\.end).max() ?? start
    measured.elapsed = .nanoseconds(Int64(max(end, start) - start))
    return measured
  }
}
