/// Every statement that the stores run on jobs. A store prepares each once; the raw value is its place in the
/// store's table of prepared statements.
public enum JobStatement: Int, Sendable, CaseIterable {
  // What makes several statements one.
  case beginReading
  case savepoint
  case rollbackToSavepoint
  case releaseSavepoint

  // One job.
  case insertJob
  case attemptsBefore
  case jobByID
  case wholeJobByID
  case jobWithCause
  case jobToCompare
  case jobByUniqueKey
  case deleteJob
  case history

  // Transitions.
  case recordAttempt
  case amendAttempt
  case update
  case complete
  case fail
  case release
  case lose
  case cancel
  case retry
  case report

  // Claims.
  case nextOfType
  case nextKeyOfType
  case claim

  // Many jobs.
  case reapable
  case reap
  case due
  case promote
  case nextDue
  case oldest
  case pause
  case resume
  case processingJobs
  case pendingJobs
  case readyJobsOfType
  case waitingJobs

  // Lists.
  case newest
  case newestOfType
  case newestOfStatus
  case newestWithPrefix

  // What is loaded when a store opens.
  case loadReady
  case loadDelayed
  case loadOthers
  case loadPaused
  case heldClaims

  /// Its text.
  public var sql: String {
    switch self {
    case .beginReading: "BEGIN"
    case .savepoint: "SAVEPOINT command"
    case .rollbackToSavepoint: "ROLLBACK TO command"
    case .releaseSavepoint: "RELEASE command"
    case .insertJob: Self.insertJobSQL
    case .attemptsBefore: Self.attemptsBeforeSQL
    case .jobByID: "SELECT \(JobColumns.brief) FROM jobs WHERE id = ?1"
    case .wholeJobByID: "SELECT \(JobColumns.whole) FROM jobs WHERE id = ?1"
    case .jobWithCause: Self.jobWithCauseSQL
    case .jobToCompare: "SELECT \(JobColumns.outline), \(Self.hasContent) FROM jobs WHERE id = ?1"
    case .jobByUniqueKey: Self.jobByUniqueKeySQL
    case .deleteJob: "DELETE FROM jobs WHERE id = ?1"
    case .history: Self.historySQL
    case .recordAttempt: Self.recordAttemptSQL
    case .amendAttempt: Self.amendAttemptSQL
    case .update: Self.updateSQL
    case .complete: Self.completeSQL
    case .fail: Self.failSQL
    case .release: Self.releaseSQL
    case .lose: Self.loseSQL
    case .cancel: Self.cancelSQL
    case .retry: Self.retrySQL
    case .report: Self.reportSQL
    case .nextOfType: Self.nextOfTypeSQL(JobColumns.whole)
    case .nextKeyOfType: Self.nextOfTypeSQL("priority, seq")
    case .claim: Self.claimSQL
    case .reapable: Self.reapableSQL
    case .reap: Self.reapSQL
    case .due: Self.dueSQL
    case .promote:
      "UPDATE jobs SET not_before = NULL WHERE seq IN (SELECT seq \(Self.firstDue))"
    case .nextDue: "SELECT min(not_before) FROM \(Self.delayedJobs) WHERE \(Self.delayed)"
    case .oldest: Self.oldestSQL
    case .pause: "INSERT INTO paused_types (type) VALUES (?1) ON CONFLICT DO NOTHING"
    case .resume: "DELETE FROM paused_types WHERE type = ?1"
    case .processingJobs: Self.processingJobsSQL
    case .pendingJobs: "SELECT \(JobColumns.brief) FROM jobs WHERE status = 'pending' ORDER BY seq LIMIT ?1"
    case .readyJobsOfType: Self.readyJobsOfTypeSQL
    case .waitingJobs: Self.waitingJobsSQL
    case .newest: "SELECT \(JobColumns.whole) FROM jobs WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2"
    case .newestOfType: Self.newestOfTypeSQL
    case .newestOfStatus: Self.newestOfStatusSQL
    case .newestWithPrefix: Self.newestWithPrefixSQL
    case .loadReady: "SELECT type, priority, seq FROM \(Self.claimableJobs) WHERE \(Self.claimable)"
    case .loadDelayed: "SELECT type, priority, seq FROM \(Self.delayedJobs) WHERE \(Self.delayed)"
    case .loadOthers: Self.loadOthersSQL
    case .loadPaused: "SELECT type FROM paused_types"
    case .heldClaims: Self.heldClaimsSQL
    }
  }
}

/// Which columns a job is read from, in the order `Job.init(row:)` expects.
public enum JobColumns {
  private static let names = [
    "seq", "id", "type", "status", "priority", "progress", "stage", "error",
    "retry_count", "max_retries", "lost_count", "max_lost", "not_before", "unique_key",
    "attempt", "worker_name", "worker_pid", "worker_uid", "lease_expires_at",
    "created_at", "updated_at", "started_at", "finished_at", "result",
  ]

  /// All but the metadata.
  public static let brief = columns(without: [])
  /// As `brief`, without the result (`Job.outline`): many of those at once would be more than a server sends, or a broker
  /// should hold.
  public static let outline = columns(without: ["result"])
  /// All.
  public static let whole = brief + ", metadata"
  /// Which of them is the type.
  public static let type = 2
  /// How many columns `brief` and `outline` have: where what a statement adds to them begins.
  public static let briefCount = names.count
  /// How many columns `whole` has.
  public static let wholeCount = briefCount + 1

  /// As `brief`, with nothing in the columns of these names.
  public static func columns(without absent: Set<String>) -> String {
    names.map { absent.contains($0) ? "NULL" : $0 }.joined(separator: ", ")
  }
}
