import Foundation
import JobModel

/// An operation on one job as the client saw it that asked for it.
package struct RecordedOperation: Codable, Sendable {
  /// What is asked of a job. Those with an attempt are fenced by it.
  package enum Kind: String, Codable, CaseIterable, Sendable {
    case create, claim, complete, fail, failRetryable, release, cancel, retry, delete, get, report
    /// A create met another job with its unique key, and told of it.
    case seenByKey
    /// May have met any job of the round.
    case reap, prune
    /// Says nothing about one job.
    case look
  }

  package var kind: Kind
  /// Nil: a claim that was never answered, which may have taken any job of its round.
  package var job: String?
  package var attempt: Int?
  /// What a complete leaves behind.
  package var result: String?
  /// Who asked.
  package var client: Int
  /// Just before the request was sent, by the host's steady clock, in nanoseconds.
  package var start: UInt64
  /// Just after the reply came; nil when none came: it may have happened at any later moment, or never.
  package var end: UInt64?
  package var reply: SeenReply?
  /// Whether it is the completion of a worker that was stopped past its lease.
  package var isLate = false

  package init(
    _ kind: Kind, job: String?, attempt: Int? = nil, result: String? = nil, client: Int,
    start: UInt64 = RecordedOperation.now
  ) {
    self.kind = kind
    self.job = job
    self.attempt = attempt
    self.result = result
    self.client = client
    self.start = start
  }

  /// The host's steady clock: the same for all processes.
  package static var now: UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}

/// What of a reply has to be as the model says.
package struct SeenReply: Codable, Hashable, Sendable {
  /// `OK`, or the code of the error.
  package var code: String
  package var status: String?
  package var attempt: Int?
  package var retryCount: Int?
  /// Of a create: whether it made the job.
  package var created: Bool?
  /// Of a get.
  package var result: String?

  package init(code: String, job: Job? = nil, created: Bool? = nil, result: String? = nil) {
    self.code = code
    status = job?.status.rawValue
    attempt = job?.attempt
    retryCount = job?.retryCount
    self.created = created
    self.result = result
  }

  /// Only some errors promise the job.
  package init(_ error: JobError) {
    let promisesJob = error.code == .staleClaim || error.code == .jobFinished
    self.init(code: error.code.rawValue, job: promisesJob ? error.job : nil)
  }
}

/// The jobs of a round: all clients know them without telling each other.
package enum HistoryJob {
  /// A job by its number. Retries and losses are few enough to be used up; one in four shares its unique key.
  package static func new(_ number: Int, round: Int) -> NewJob {
    NewJob(
      id: id(number, round: round), type: type(ofRound: round), priority: Int32(number % 3), maxRetries: 2,
      maxLost: 3, uniqueKey: number % 8 < 2 ? "\(round).\(number / 8)" : nil)
  }

  package static func type(ofRound round: Int) -> String { "round\(round)" }

  package static func id(_ number: Int, round: Int) -> JobID {
    JobID(high: UInt64(round), low: UInt64(number))
  }
}

/// What clients recorded of one round.
package struct RoundRecords: Sendable {
  /// By job, with every sweep that may have met it.
  package var histories: [String: [RecordedOperation]]
  /// When the claims were asked for that were never answered.
  package var unansweredClaims: [UInt64]
  private let sweeps: [RecordedOperation]

  package init(_ records: [RecordedOperation]) {
    sweeps = records.filter { $0.kind == .reap || $0.kind == .prune }
    unansweredClaims = records.filter { $0.kind == .claim && $0.job == nil }.map(\.start)
    histories = Dictionary(grouping: records.filter { $0.job != nil }) { $0.job ?? "" }
  }

  /// What was asked of a job.
  package func history(of id: JobID) -> [RecordedOperation] { histories["\(id)", default: []] }

  /// Whether the history of a job has an order that explains it.
  package func verdict(on job: NewJob, _ history: [RecordedOperation]) -> HistoryChecker.Verdict {
    HistoryChecker(job, history, sweeps: sweeps, unansweredClaims: unansweredClaims).verdict()
  }
}
