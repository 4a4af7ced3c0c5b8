import JobModel
import StoreModel

/// One job as the model store has it, and what may happen to it.
struct JobModelState {
  /// What of it decides what can come next; the rest follows from the same history.
  struct Key: Hashable {
    var status: JobStatus?
    var attempt: Int
    var retryCount = 0
    var lostCount = 0
    var result: String?
    var endings: [Int: AttemptCause] = [:]
    var isUndelivered: Bool
  }

  private static let then = Timestamp(milliseconds: 0)
  /// When every delay is over: a delayed job may be claimed whenever the broker says so.
  private static let later = Timestamp(milliseconds: 1_000_000_000_000)
  private static let worker = WorkerIdentity(name: "", pid: 0, uid: 0)

  private let new: NewJob
  private var store: ModelStore
  /// The attempt that a claim took whose reply never came.
  private var undelivered: Int?

  init(_ new: NewJob, fault: Fault? = nil) {
    self.new = new
    store = ModelStore(fault: fault)
  }

  private var job: Job? { store.jobs[new.id] }

  /// - Parameter attempts: those whose end may still make a difference.
  func key(_ attempts: Set<Int>) -> Key {
    guard let job else {
      return Key(attempt: store.attemptsBefore[new.id] ?? 0, isUndelivered: false)
    }
    let known = job.history.lazy.filter { attempts.contains($0.attempt) }
    let endings = Dictionary(known.map { ($0.attempt, $0.cause) }) { $1 }
    return Key(
      status: job.status, attempt: job.attempt, retryCount: job.retryCount, lostCount: job.lostCount,
      result: job.result, endings: endings, isUndelivered: undelivered == job.attempt)
  }

  /// Does what was asked; returns what the answer must be. Nil: it can't have been done now.
  mutating func apply(_ operation: RecordedOperation) -> SeenReply? {
    if operation.kind == .get {
      return job.map { SeenReply(code: "OK", job: $0, result: $0.result) } ?? SeenReply(code: "NOT_FOUND")
    }
    if operation.kind == .seenByKey {
      guard let job, !job.status.isFinished else { return nil }
      return SeenReply(code: "OK", job: job, created: false)
    }
    if operation.kind == .retry, operation.reply?.code == JobError.Code.alreadyExists.rawValue {
      // Another job has its unique key by now: that is not this job's to say.
      let mayBe = new.uniqueKey != nil && (job?.status == .failed || job?.status == .cancelled)
      return mayBe ? operation.reply : nil
    }
    if operation.kind == .claim { return claim().map { SeenReply(code: "OK", job: $0) } }
    switch run(command(for: operation)) {
    case .success(.created(let created)):
      return SeenReply(code: "OK", job: created[0].job, created: created[0].created)
    case .success(.job(let job, _)): return SeenReply(code: "OK", job: job)
    case .success: return SeenReply(code: "OK")
    case .failure(let error): return SeenReply(error)
    }
  }

  private func command(for operation: RecordedOperation) -> JobCommand {
    let (id, attempt) = (new.id, operation.attempt)
    return switch operation.kind {
    case .create: .create([new])
    case .complete: .complete(id, attempt: attempt, result: operation.result)
    case .fail: .fail(id, attempt: attempt, error: "", retryable: false)
    case .failRetryable: .fail(id, attempt: attempt, error: "", retryable: true)
    case .release: .release(id, attempt: attempt, delay: .zero, reason: nil)
    case .cancel: .cancel(id)
    case .retry: .retry(id)
    case .delete: .delete(id)
    case .report: .update(id, attempt: attempt, JobUpdate())
    case .claim, .get, .seenByKey, .reap, .prune, .look:
      preconditionFailure("\(operation.kind) is no command about one job")
    }
  }

  /// A claim takes the job, when it can.
  private mutating func claim() -> Job? {
    _ = store.execute(.promote, at: Self.later)
    let claim = JobCommand.claim(types: [], maxJobs: 1, lease: .seconds(1), worker: Self.worker)
    guard case .success(.claimed(let jobs)) = run(claim) else { return nil }
    return jobs.first
  }

  /// A claim that was never answered takes the job, when it can.
  mutating func claimUnanswered() -> Bool {
    guard let job = claim() else { return false }
    undelivered = job.attempt
    return true
  }

  /// What an operator's sweep may do: fail the job, or delete it when it is finished. False: nothing.
  mutating func sweep(_ kind: RecordedOperation.Kind) -> Bool {
    switch job?.status {
    case .processing where kind == .reap:
      _ = run(.reap(before: Self.later, type: nil, sparing: [], limit: 100))
    case .some(let status) where kind == .prune && status.isFinished: _ = run(.delete(new.id))
    default: return false
    }
    return true
  }

  /// What the broker may do by itself: take the claim back when its lease runs out, or at once when its reply could
  /// not be delivered.
  var ownChanges: [JobModelState] {
    guard let claim = store.held.first?.claim else { return [] }
    var commands = [JobCommand.lose(claim)]
    if undelivered == claim.attempt {
      commands.append(.release(claim.id, attempt: claim.attempt, delay: .zero, reason: "undelivered"))
    }
    return commands.map { command in
      var next = self
      _ = next.run(command)
      return next
    }
  }

  private mutating func run(_ command: JobCommand) -> Result<JobReply, JobError> {
    defer { _ = store.takeChanges() }
    return store.execute(command, at: Self.then)
  }
}
