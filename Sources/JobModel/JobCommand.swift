/// What changes the store. A commit runs several, in order, as one transaction.
///
/// The broker's core emits commands and the store runs them; the type lives in the model so that neither has to
/// know the other.
public enum JobCommand: Sendable, Equatable {
  /// Creates jobs: all of them or none.
  case create([NewJob])
  /// Takes the next jobs in claim order.
  case claim(types: [String], maxJobs: Int, lease: Duration, worker: WorkerIdentity)
  /// Changes some fields.
  case update(JobID, attempt: Int?, JobUpdate)
  /// Writes what holders reported: heartbeats, stages and progress. A claim no longer valid is passed over.
  case report([HolderReport])
  /// Finishes with success.
  case complete(JobID, attempt: Int?, result: String?)
  /// Finishes without success, or goes back to the queue when `retryable` and retries are left.
  case fail(JobID, attempt: Int?, error: String, retryable: Bool)
  /// Gives the job back unharmed; `reason` goes into its history.
  case release(JobID, attempt: Int?, delay: Duration, reason: String?)
  /// The lease of this claim ran out: back to the queue, or failed when too many workers were lost.
  case lose(ClaimToken)
  /// Calls the job off; a finished one stays as it is.
  case cancel(JobID)
  /// Puts a failed or cancelled job back into the queue, with its budgets renewed.
  case retry(JobID)
  /// Removes a job.
  case delete(JobID)
  /// Fails up to `limit` jobs that are processing and were last heard from before `cutoff`, the oldest first, except
  /// `sparing`: jobs that the caller knows, by a clock that can't jump, to be alive. See `ReapBound`.
  case reap(before: Timestamp, type: String?, sparing: [JobID], limit: Int)
  /// Lets jobs whose `notBefore` has come be claimed, the earliest first; when there are many, a part of them.
  case promote
  /// Stops claims of a type.
  case pause(type: String)
  /// Allows claims of a type again.
  case resume(type: String)
  /// Deletes up to `limit` finished jobs that finished before `cutoff`, with one finished status or any.
  case prune(before: Timestamp, status: JobStatus?, type: String?, limit: Int)
  /// Reads what a watch covers, in its place in the order of changes.
  case snapshot(WatchSelection, limit: Int)
  /// Reads what others who use the same store changed since the last such command, or since the store was opened.
  case changes
}

/// How far one `JobCommand.reap` goes. Its reply has the results of all the jobs it failed, so it must not be many
/// large ones.
public enum ReapBound {
  /// Bytes of results: the job that takes more than is left of them is the last.
  public static let payload = 2 << 20

  /// Whether a reap of up to `limit` jobs that failed these may have left others.
  public static func isReached(by jobs: [Job], limit: Int) -> Bool {
    jobs.count >= limit || jobs.reduce(0) { $0 + ($1.result?.utf8.count ?? 0) } > payload
  }
}

/// What one holder reported since the last commit.
public struct HolderReport: Sendable, Equatable {
  /// The claim it was made under.
  public var claim: ClaimToken
  /// Progress and stage; nothing else of it is used.
  public var update: JobUpdate
  /// When the lease now ends.
  public var leaseExpiresAt: Timestamp
  /// When the holder was last heard from.
  public var heardAt: Timestamp

  /// A report from its parts.
  public init(claim: ClaimToken, update: JobUpdate, leaseExpiresAt: Timestamp, heardAt: Timestamp) {
    self.claim = claim
    self.update = update
    self.leaseExpiresAt = leaseExpiresAt
    self.heardAt = heardAt
  }
}

/// What a command came to. A single job is boxed: it is copied often.
public enum JobReply: Sendable, Equatable {
  /// To `create`.
  case created([CreatedJob])
  /// To `claim`: perhaps none.
  case claimed([Job])
  /// To a command about one job: the job as it is now. `changed` is false when it was so already: a repeated
  /// complete or fail, a cancel of a finished job.
  indirect case job(Job, changed: Bool)
  /// To `report`: the claims that are no longer valid.
  case reported(stale: [ClaimToken])
  /// To `delete`: the job as it was.
  indirect case deleted(Job)
  /// To `reap`: the jobs it failed.
  case reaped([Job])
  /// To `promote`: how many became ready, by type, and when the next one is due.
  case promoted([TypeName: Int], nextDue: Timestamp?)
  /// To `prune`: the jobs it deleted, as they were, without metadata and result.
  case pruned([Job])
  /// To `snapshot`. `truncated`: it covers more jobs than the limit, or than there is room for.
  case snapshot([Job], truncated: Bool)
  /// To `changes`.
  case changes(StoreChanges)
  /// To `pause` and `resume`.
  case done
}
