/// What the broker answers. Each operation has one kind of reply, or an error. Large ones are boxed: they are copied often.
public enum Reply: Sendable, Equatable {
  /// The operation was refused.
  indirect case error(JobError)
  /// To hello.
  indirect case welcome(Welcome)
  /// To ping.
  case pong
  /// To create: one entry a job, in the order of the request.
  case created([CreatedJob])
  /// To get (the whole job), and to update, complete, fail, release, cancel and retry (without metadata and
  /// result).
  indirect case job(Job)
  /// To list.
  case jobs(JobPage)
  /// To claim: the jobs now held, perhaps none.
  case claimed([Job])
  /// To reap and prune: how many jobs it was.
  case count(Int)
  /// To position.
  case position(QueuePosition)
  /// To watch: the state when it began. `more`: another snapshot frame follows.
  case snapshot([Job], more: Bool, truncated: Bool)
  /// A change that a watch follows; carries the watch's id.
  indirect case event(JobEvent)
  /// A notice, not a reply: a job held by this connection is no longer its.
  indirect case revoked(Revocation)
  /// To stats.
  indirect case stats(BrokerStats)
  /// To workers.
  case workers(WorkerList)
  /// To unwatch, withdraw, delete, pause, resume and backup.
  case done
}

/// The broker's side of the handshake.
public struct Welcome: Sendable, Equatable {
  /// The protocol version the broker will speak.
  public var protocolVersion: UInt32
  /// Program and version, for people.
  public var server: String
  /// Bytes of a frame after its length prefix.
  public var maxFrame: Int
  /// Requests that may be unanswered at a time; the broker reads no further until one is answered.
  public var maxInFlight: Int
  /// Names of what this broker can do beyond version 1.
  public var features: [String]

  /// A welcome from its parts.
  public init(
    protocolVersion: UInt32 = Hello.currentVersion, server: String, maxFrame: Int = Limits.frame,
    maxInFlight: Int = Limits.inFlight, features: [String] = []
  ) {
    self.protocolVersion = protocolVersion
    self.server = server
    self.maxFrame = maxFrame
    self.maxInFlight = maxInFlight
    self.features = features
  }
}

/// A change of a job, as a watcher sees it.
public enum JobEvent: Sendable, Equatable {
  /// The job as it is now, without its metadata; when its holder only reported, without its result, too.
  case changed(Job)
  /// The job was deleted.
  case deleted(JobID)
  /// Changes were dropped because the watcher did not keep up: watch again.
  case resync

  /// About how many bytes it takes in memory: what the buffers of a watch are measured in.
  public var size: Int {
    guard case .changed(let job) = self else { return 512 }
    let texts = [job.type, job.stage, job.metadata, job.result, job.error, job.uniqueKey, job.worker?.name]
    return texts.reduce(512) { $0 + ($1?.utf8.count ?? 0) }
  }
}

/// A job was taken from its holder.
public struct Revocation: Sendable, Equatable {
  /// The claim that is no longer valid.
  public var claim: ClaimToken
  /// What the job is now; nil when it was deleted, or is not known.
  public var status: JobStatus?
  /// Why, for a person.
  public var reason: String

  /// A revocation from its parts.
  public init(claim: ClaimToken, status: JobStatus?, reason: String) {
    self.claim = claim
    self.status = status
    self.reason = reason
  }
}

/// Counters of one job type.
public struct TypeStats: Sendable, Equatable {
  /// The type.
  public var type: String
  /// Jobs by status.
  public var counts: [JobStatus: Int]
  /// Whether claims of it are stopped.
  public var isPaused: Bool

  /// Counters from their parts.
  public init(type: String, counts: [JobStatus: Int] = [:], isPaused: Bool = false) {
    self.type = type
    self.counts = counts
    self.isPaused = isPaused
  }
}

/// Counters of the broker.
public struct BrokerStats: Sendable, Equatable {
  /// By type, in alphabetical order.
  public var types: [TypeStats] = []
  /// Whether there are more types than a frame holds; the last are left out.
  public var isTruncated = false
  /// Open connections.
  public var connections = 0
  /// Claims that wait for a job.
  public var waitingClaims = 0
  /// Open watches.
  public var watches = 0
  /// Transactions since the broker started.
  public var commits = 0
  /// Commands in them.
  public var commands = 0
  /// Time since the broker started.
  public var uptime: Duration = .zero
  /// User and system time of the broker's process.
  public var cpu: Duration = .zero
  /// Resident memory of the broker's process, in bytes.
  public var residentBytes = 0
  /// Program and version.
  public var server = ""
  /// Which store it serves.
  public var store = ""
  /// The broker's process id.
  public var pid: UInt32 = 0

  /// Counters, all zero.
  public init() {}
}

/// Who is connected.
public struct WorkerList: Sendable, Equatable {
  /// The connected clients.
  public var workers: [ConnectedWorker]
  /// Whether there are more of them, or of what they wait for and hold, than a frame takes.
  public var isTruncated: Bool

  /// A list from its parts.
  public init(workers: [ConnectedWorker], isTruncated: Bool = false) {
    self.workers = workers
    self.isTruncated = isTruncated
  }
}

/// A connected client, what it waits for and what it holds.
public struct ConnectedWorker: Sendable, Equatable {
  /// A job it holds.
  public struct Held: Sendable, Equatable {
    /// Which claim.
    public var claim: ClaimToken
    /// The job's type.
    public var type: String

    /// A held job from its parts.
    public init(claim: ClaimToken, type: String) {
      self.claim = claim
      self.type = type
    }
  }

  /// Who it is.
  public var identity: WorkerIdentity
  /// Program and version, for people.
  public var client: String
  /// Since when.
  public var connectedAt: Timestamp
  /// Whether it is blocked in a claim.
  public var isWaiting: Bool
  /// For which types; none while waiting: any.
  public var waitingTypes: [String]
  /// What it holds.
  public var holds: [Held]

  /// A connected client from its parts.
  public init(
    identity: WorkerIdentity, client: String, connectedAt: Timestamp, isWaiting: Bool,
    waitingTypes: [String], holds: [Held]
  ) {
    self.identity = identity
    self.client = client
    self.connectedAt = connectedAt
    self.isWaiting = isWaiting
    self.waitingTypes = waitingTypes
    self.holds = holds
  }
}
