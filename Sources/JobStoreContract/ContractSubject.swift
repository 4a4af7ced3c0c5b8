import JobModel
import JobStore
import Synchronization

/// A clock that stands still until it is told to go on.
final class ContractClock: Sendable {
  private let milliseconds = Atomic<Int64>(1_700_000_000_123)

  var now: Timestamp { Timestamp(milliseconds: milliseconds.load(ordering: .sequentiallyConsistent)) }

  func advance(_ duration: Duration) {
    milliseconds.add(duration.milliseconds, ordering: .sequentiallyConsistent)
  }
}

/// The store under test, and what the checks say about it.
struct ContractSubject: Sendable {
  let check: String
  let store: any JobStore
  let clock: ContractClock

  static let worker = WorkerIdentity(name: "worker-1", pid: 4711, uid: 1000)
  static let other = WorkerIdentity(name: "worker-2", pid: 4712, uid: 1000)

  // MARK: Doing

  /// Creates a job of type `ingest`, unless another is asked for.
  func create(
    _ type: String = "ingest", metadata: String = "{}", priority: Int32 = 0, maxRetries: Int = 1, maxLost: Int = 3,
    after delay: Duration? = nil, uniqueKey: String? = nil
  ) async throws -> Job {
    try await store.create(
      NewJob(
        type: type, metadata: metadata, priority: priority, maxRetries: maxRetries, maxLost: maxLost,
        notBefore: delay.map { clock.now + $0 }, uniqueKey: uniqueKey))
  }

  /// Claims up to `maxJobs` jobs.
  func claim(
    _ types: [String] = [], maxJobs: Int = 1, lease: Duration = .seconds(30),
    worker: WorkerIdentity = ContractSubject.worker
  ) async throws -> [Job] {
    let reply = try await store.commit(.claim(types: types, maxJobs: maxJobs, lease: lease, worker: worker))
    guard case .claimed(let jobs) = reply else { throw unexpected(reply) }
    return jobs
  }

  /// Creates a job and claims it.
  func held(_ type: String = "ingest", maxRetries: Int = 1, maxLost: Int = 3, uniqueKey: String? = nil) async throws
    -> Job
  {
    let job = try await create(type, maxRetries: maxRetries, maxLost: maxLost, uniqueKey: uniqueKey)
    let claimed = try await claim([type])
    try equal(claimed.map(\.id), [job.id], "the job that was claimed")
    return claimed[0]
  }

  /// Claims the next job, which must be there.
  func claimOne(_ types: [String] = [], worker: WorkerIdentity = ContractSubject.worker) async throws -> Job {
    guard let job = try await claim(types, worker: worker).first else { throw violation("there is nothing to claim") }
    return job
  }

  /// Runs a command about one job.
  func change(_ command: JobCommand) async throws -> (job: Job, changed: Bool) {
    let reply = try await store.commit(command)
    guard case .job(let job, let changed) = reply else { throw unexpected(reply) }
    return (job, changed)
  }

  /// The job as it is now, which must be there.
  func get(_ id: JobID) async throws -> Job {
    guard let job = try await store.get(id) else { throw violation("job \(id) is not there") }
    return job
  }

  /// The counters of a type; nil when there are none.
  func stats(_ type: String = "ingest") async throws -> TypeStats? {
    try await store.stats().first { $0.type == type }
  }

  // MARK: Saying

  func violation(_ finding: String) -> ContractViolation { ContractViolation(check: check, finding: finding) }

  func unexpected(_ reply: JobReply) -> ContractViolation { violation("unexpected reply \(reply)") }

  func expect(_ condition: Bool, _ what: String, line: Int = #line) throws {
    if !condition { throw violation("not so: \(what) (line \(line))") }
  }

  func equal<T: Equatable>(_ found: T, _ wanted: T, _ what: String, line: Int = #line) throws {
    if found != wanted { throw violation("\(what): \(found) instead of \(wanted) (line \(line))") }
  }

  /// The error that `body` must throw.
  @discardableResult
  func error<T>(
    _ code: JobError.Code, line: Int = #line, _ body: () async throws -> T
  ) async throws -> JobError {
    let outcome: Result<T, any Error>
    do { outcome = .success(try await body()) } catch { outcome = .failure(error) }
    switch outcome {
    case .success(let value): throw violation("no \(code.rawValue) but \(value) (line \(line))")
    case .failure(let error as JobError) where error.code == code: return error
    case .failure(let error): throw violation("no \(code.rawValue) but \(error) (line \(line))")
    }
  }
}
