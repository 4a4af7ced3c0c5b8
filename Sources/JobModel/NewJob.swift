/// What a producer says of a job it creates.
public struct NewJob: Sendable, Equatable {
  /// Automatic retries unless the producer says otherwise.
  public static let defaultMaxRetries = 1
  /// Tolerated losses of a worker unless the producer says otherwise.
  public static let defaultMaxLost = 3

  /// The id; the maker's choice, so that a repeated create is the same job.
  public var id: JobID
  /// Routes the job to workers.
  public var type: String
  /// A JSON object as text.
  public var metadata: String
  /// Higher is claimed first.
  public var priority: Int32
  /// How many automatic retries a retryable failure may use.
  public var maxRetries: Int
  /// How often a worker may be lost while holding it.
  public var maxLost: Int
  /// Not to be claimed before this moment.
  public var notBefore: Timestamp?
  /// At most one unfinished job may have this key.
  public var uniqueKey: String?

  /// A new job; only its type is needed.
  public init(
    id: JobID = .timeOrdered(), type: String, metadata: String = "{}", priority: Int32 = 0,
    maxRetries: Int = NewJob.defaultMaxRetries, maxLost: Int = NewJob.defaultMaxLost,
    notBefore: Timestamp? = nil, uniqueKey: String? = nil
  ) {
    self.id = id
    self.type = type
    self.metadata = metadata
    self.priority = priority
    self.maxRetries = maxRetries
    self.maxLost = maxLost
    self.notBefore = notBefore
    self.uniqueKey = uniqueKey
  }
}

/// What became of one `NewJob`.
public struct CreatedJob: Sendable, Equatable {
  /// The job, without metadata and result; when `created` is false, the one that was there.
  public var job: Job
  /// False: the job was there already, by its id (a repeated create) or by its `uniqueKey`.
  public var created: Bool

  /// An outcome from its parts.
  public init(job: Job, created: Bool) {
    self.job = job
    self.created = created
  }
}
