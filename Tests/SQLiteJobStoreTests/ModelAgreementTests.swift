import JobModel
import JobStore
import StoreModel
import Synchronization
import Testing
import TestSupport
import TrustSupport

@testable import SQLiteJobStore

/// Runs random commands through the SQL and through the model that was written from the table of states. What the
/// simulation and the checker of histories find rests on the two being the same.
@Suite struct ModelAgreementTests {
  /// Commands of a round.
  private static let commands = 60
  private static let worker = WorkerIdentity(name: "worker", pid: 1, uid: 1)

  /// Where the two part.
  private struct Disagreement {
    var rounds: Int
    var story: String
  }

  @Test func `the SQL and the model do the same with random commands`() async throws {
    let rounds = CampaignSize.number("JOBBROKER_MODEL_ROUNDS", short: 200)
    let seed = CampaignSize.seed("JOBBROKER_MODEL_SEED", short: 1)
    let found = try await disagreement(rounds: rounds, seed: seed)
    #expect(found == nil, "\(found?.story ?? "")")
    CampaignOutcome(
      promise: "the SQL does what the table of states says",
      done: "random commands to SQLite and to the model", count: "\(rounds * Self.commands) commands",
      violations: found == nil ? 0 : 1, seed: "\(seed)"
    ).report()
  }

  @Test(arguments: [Fault.fenceIgnored, .finishedJobChanges, .newestFirst, .attemptNotCounted, .pauseIgnored])
  func `a model with a fault is noticed`(fault: Fault) async throws {
    let found = try await disagreement(with: fault, rounds: 1_000, seed: 1)
    CampaignOutcome(
      promise: "(control) a model that differs is noticed", done: "planted: \(fault)",
      count: "after \(found?.rounds ?? 1_000) rounds", violations: found == nil ? 1 : 0, seed: "1"
    ).report()
    #expect(found != nil)
  }

  private func disagreement(
    with fault: Fault? = nil, rounds: Int, seed: UInt64
  ) async throws -> Disagreement? {
    let directory = TemporaryDirectory()
    let clock = TestClock()
    let store = try await SQLiteJobStore.open(
      path: directory.file("jobs.db"), durability: .relaxed, clock: { clock.now }, random: { 0.5 })
    var random = SeededRandom(seed: seed)
    for round in 0..<rounds {
      var model = ModelStore(fault: fault)
      let jobs = (0..<3).map { number in
        NewJob(
          id: JobID(high: UInt64(round), low: UInt64(number)), type: "round\(round)\(number / 2)",
          priority: Int32(number % 2), maxRetries: 2, maxLost: 2, uniqueKey: number < 2 ? "\(round)" : nil)
      }
      var told: [String] = []
      while told.count < Self.commands {
        clock.advance(by: random.chance(10) ? .seconds(3600) : .milliseconds(1))
        let size = min(random.pick([1, 1, 1, 2, 5]), Self.commands - told.count)
        let batch = (0..<size).map { _ in Self.command(about: jobs, at: clock.now, &random) }
        let expected = batch.map { Seen(model.execute($0, at: clock.now)) }
        let seen = try await store.execute(batch).map(Seen.init)
        for (command, seen) in zip(batch, seen) { told.append("\(command): \(seen)") }
        var isSame = seen == expected
        for job in jobs where isSame {
          let row = try await store.get(job.id).map(SeenJob.init)
          isSame = row == model.jobs[job.id].map(SeenJob.init)
        }
        if !isSame {
          await store.close()
          let story = told.suffix(12) + ["the model: \(expected), and then \(model.jobs)"]
          return Disagreement(rounds: round + 1, story: story.joined(separator: "\n"))
        }
      }
      // The next round's queue, pauses and deleted jobs begin empty in the model, and apart in the database.
      for job in jobs { _ = try await store.execute([.delete(job.id)]) }
    }
    await store.close()
    return nil
  }

  private static func command(
    about jobs: [NewJob], at now: Timestamp, _ random: inout SeededRandom
  ) -> JobCommand {
    let job = random.pick(jobs)
    let type = job.type
    let attempt = random.pick([nil, 1, 1, 2, 2, 3, 4])
    switch random.below(24) {
    case 0..<3: return .create([job])
    case 3: return .create(jobs)
    case 4..<8:
      let types = random.pick([[type], [type], [], jobs.map(\.type)])
      return .claim(types: types, maxJobs: random.pick([1, 1, 2]), lease: .seconds(1), worker: worker)
    case 8..<10: return .lose(ClaimToken(id: job.id, attempt: attempt ?? 1))
    case 10:
      return .complete(job.id, attempt: attempt, result: random.pick([nil, #"{"a":1}"#, #"{"a":2}"#]))
    case 11: return .fail(job.id, attempt: attempt, error: "no", retryable: false)
    case 12, 13: return .fail(job.id, attempt: attempt, error: "no", retryable: true)
    case 14: return .release(job.id, attempt: attempt, delay: random.pick([.zero, .seconds(2)]), reason: nil)
    case 15: return .cancel(job.id)
    case 16, 17: return .retry(job.id)
    case 18: return .promote
    case 19:
      let status = random.pick([nil] + JobStatus.allCases.map { Optional($0) })
      return .update(job.id, attempt: attempt, JobUpdate(status: status, progress: 50, stage: .set("half")))
    case 20: return random.chance(30) ? .pause(type: type) : .resume(type: type)
    case 21:
      let report = HolderReport(
        claim: ClaimToken(id: job.id, attempt: attempt ?? 1),
        update: JobUpdate(progress: 70, stage: random.pick([.keep, .clear])),
        leaseExpiresAt: now + .seconds(1), heardAt: now)
      return .report([report])
    case 22:
      return random.chance(50)
        ? .delete(job.id) : .prune(before: now, status: nil, type: type, limit: 10)
    default: return .reap(before: now - .milliseconds(5), type: type, sparing: [], limit: 100)
    }
  }
}

private final class TestClock: Sendable {
  private let time = Mutex(Timestamp(milliseconds: 1_000_000))
  var now: Timestamp { time.withLock { $0 } }
  func advance(by duration: Duration) { time.withLock { $0 = $0 + duration } }
}

/// What of a job the two must agree on: all but the moments that a retry's backoff decides, and texts.
private struct SeenJob: Equatable {
  var status: JobStatus
  var attempt: Int
  var retryCount: Int
  var lostCount: Int
  var progress: Double
  var stage: String?
  var result: String?
  var waits: Bool
  var isLeased: Bool
  var endings: [String]?

  /// - Parameter whole: whether its history was read.
  init(_ job: Job, whole: Bool) {
    (status, attempt, retryCount, lostCount) = (job.status, job.attempt, job.retryCount, job.lostCount)
    (progress, stage, result) = (job.progress, job.stage, job.result)
    (waits, isLeased) = (job.notBefore != nil, job.leaseExpiresAt != nil)
    endings = whole ? job.history.map { "\($0.attempt) \($0.cause)" } : nil
  }

  init(_ job: Job) { self.init(job, whole: true) }
}

/// What of a reply the two must agree on.
private enum Seen: Equatable {
  case jobs([SeenJob], changed: [Bool])
  case ids([JobID])
  case ready([TypeName: Int], isMoreDue: Bool)
  case done
  case refused(JobError.Code)

  init(_ result: Result<JobReply, JobError>) {
    self =
      switch result {
      case .failure(let error): .refused(error.code)
      case .success(.created(let entries)):
        .jobs(entries.map { SeenJob($0.job, whole: false) }, changed: entries.map(\.created))
      case .success(.claimed(let jobs)): .jobs(jobs.map { SeenJob($0, whole: false) }, changed: [])
      case .success(.reaped(let jobs)), .success(.pruned(let jobs)): .ids(jobs.map(\.id).sorted())
      case .success(.job(let job, let changed)): .jobs([SeenJob(job, whole: false)], changed: [changed])
      case .success(.deleted(let job)): .ids([job.id])
      case .success(.reported(let stale)): .ids(stale.map(\.id))
      case .success(.promoted(let ready, let due)): .ready(ready, isMoreDue: due != nil)
      case .success: .done
      }
  }
}
