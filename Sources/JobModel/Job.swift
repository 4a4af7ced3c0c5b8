/// A job as the store holds it.
public struct Job: Sendable, Equatable {
  /// The job's id.
  public var id: JobID
  /// Routes the job to workers, as in `ingest`.
  public var type: String
  /// Where it is in its life.
  public var status: JobStatus
  /// 0–100 within the stage.
  public var progress: Double
  /// What the worker says it is doing.
  public var stage: String?
  /// A JSON object as text: what the producer said of the job. Nil where a reply leaves it out.
  public var metadata: String?
  /// A JSON object as text: what came of the job.
  public var result: String?
  /// Why it failed, in words for a person.
  public var error: String?
  /// Automatic retries so far.
  public var retryCount: Int
  /// How many automatic retries a retryable failure may use.
  public var maxRetries: Int
  /// How often a worker was lost while holding it.
  public var lostCount: Int
  /// How often a worker may be lost while holding it before the job fails.
  public var maxLost: Int
  /// Higher is claimed first.
  public var priority: Int32
  /// Present while the job waits for this moment.
  public var notBefore: Timestamp?
  /// At most one unfinished job has a given key.
  public var uniqueKey: String?
  /// How often the job was claimed: the fence.
  public var attempt: Int
  /// The holder; after the attempt, the last holder.
  public var worker: WorkerIdentity?
  /// When the claim ends unless the holder is heard from.
  public var leaseExpiresAt: Timestamp?
  /// When it was created.
  public var createdAt: Timestamp
  /// When it last changed or its holder was last heard from.
  public var updatedAt: Timestamp
  /// When its present or last attempt began.
  public var startedAt: Timestamp?
  /// When it finished.
  public var finishedAt: Timestamp?
  /// The attempts that ended without success, oldest first. Only `get` fills it.
  public var history: [AttemptRecord]
  /// Its place in the order of creation; never reused within a store.
  public var sequence: Int64

  /// A job from all its fields.
  public init(
    id: JobID, type: String, status: JobStatus = .pending, progress: Double = 0, stage: String? = nil,
    metadata: String? = nil, result: String? = nil, error: String? = nil, retryCount: Int = 0,
    maxRetries: Int = NewJob.defaultMaxRetries, lostCount: Int = 0, maxLost: Int = NewJob.defaultMaxLost,
    priority: Int32 = 0, notBefore: Timestamp? = nil, uniqueKey: String? = nil, attempt: Int = 0,
    worker: WorkerIdentity? = nil, leaseExpiresAt: Timestamp? = nil, createdAt: Timestamp,
    updatedAt: Timestamp, startedAt: Timestamp? = nil, finishedAt: Timestamp? = nil,
    history: [AttemptRecord] = [], sequence: Int64 = 0
  ) {
    self.id = id
    self.type = type
    self.status = status
    self.progress = progress
    self.stage = stage
    self.metadata = metadata
    self.result = result
    self.error = error
    self.retryCount = retryCount
    self.maxRetries = maxRetries
    self.lostCount = lostCount
    self.maxLost = maxLost
    self.priority = priority
    self.notBefore = notBefore
    self.uniqueKey = uniqueKey
    self.attempt = attempt
    self.worker = worker
    self.leaseExpiresAt = leaseExpiresAt
    self.createdAt = createdAt
    self.updatedAt = updatedAt
    self.startedAt = startedAt
    self.finishedAt = finishedAt
    self.history = history
    self.sequence = sequence
  }

  /// What fences a request about the job's present attempt.
  public var claim: ClaimToken { ClaimToken(id: id, attempt: attempt) }
}

/// One claim of one job. It is valid while the job is processing and its attempt is this one.
public struct ClaimToken: Hashable, Sendable {
  /// The job.
  public var id: JobID
  /// Which claim of it, counted from 1.
  public var attempt: Int

  /// A token from its parts.
  public init(id: JobID, attempt: Int) {
    self.id = id
    self.attempt = attempt
  }
}

/// Who holds a job: the name the worker gave itself, and what the kernel says of its process (SO_PEERCRED,
/// unix(7)). For people; no request is ever fenced by it.
public struct WorkerIdentity: Hashable, Sendable {
  /// The name from the worker's hello.
  public var name: String
  /// Its process id.
  public var pid: UInt32
  /// Its user id.
  public var uid: UInt32

  /// An identity from its parts.
  public init(name: String, pid: UInt32, uid: UInt32) {
    self.name = name
    self.pid = pid
    self.uid = uid
  }
}

/// An attempt that ended without success.
public struct AttemptRecord: Sendable, Equatable {
  /// Which claim it was, counted from 1.
  public var attempt: Int
  /// Who held the job.
  public var worker: WorkerIdentity?
  /// When it was claimed.
  public var startedAt: Timestamp
  /// When it ended.
  public var endedAt: Timestamp
  /// Why it ended.
  public var cause: AttemptCause
  /// More about why, for people.
  public var error: String?

  /// A record from its parts.
  public init(
    attempt: Int, worker: WorkerIdentity?, startedAt: Timestamp, endedAt: Timestamp, cause: AttemptCause,
    error: String?
  ) {
    self.attempt = attempt
    self.worker = worker
    self.startedAt = startedAt
    self.endedAt = endedAt
    self.cause = cause
    self.error = error
  }
}

extension Job {
  /// The job without metadata and result, which its maker and its finisher know already: how replies and errors show it.
  public var outline: Job {
    var job = self
    job.metadata = nil
    job.result = nil
    return job
  }
}
