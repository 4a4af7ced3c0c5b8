/// What a client may ask of the broker: the operations of the protocol.
public enum Operation: Sendable, Equatable {
  /// The first request of a connection.
  case hello(Hello)
  /// Is anybody there?
  case ping
  /// Creates jobs: all of them or none.
  case create([NewJob])
  /// One job, with its history.
  case get(JobID)
  /// Jobs, newest first.
  case list(JobFilter)
  /// Changes some fields. `attempt` fences it.
  case update(JobID, attempt: Int?, JobUpdate)
  /// Finishes with success. `result` is a JSON object as text.
  case complete(JobID, attempt: Int?, result: String?)
  /// Finishes without success, or goes back to the queue when `retryable` and retries are left.
  case fail(JobID, attempt: Int?, error: String, retryable: Bool)
  /// Gives the job back unharmed, to be claimed after `delay`.
  case release(JobID, attempt: Int?, delay: Duration)
  /// Calls the job off.
  case cancel(JobID)
  /// Puts a failed or cancelled job back into the queue.
  case retry(JobID)
  /// Removes a job.
  case delete(JobID)
  /// Takes the next jobs.
  case claim(ClaimRequest)
  /// Ends the wait of the claim that the request `id` began.
  case withdraw(id: UInt64)
  /// Fails jobs that have been processing without a sign of life for `timeout`.
  case reap(timeout: Duration, type: String?)
  /// The place in the queue.
  case position(JobID)
  /// Follows jobs.
  case watch(WatchSelection)
  /// Ends the watch that the request `id` began.
  case unwatch(id: UInt64)
  /// Counters.
  case stats
  /// Who is connected, waits for what and holds what.
  case workers
  /// Stops claims of a type.
  case pause(type: String)
  /// Allows claims of a type again.
  case resume(type: String)
  /// Deletes finished jobs.
  case prune(olderThan: Duration, status: JobStatus?, type: String?)
  /// Copies the store to a new file on the broker's host.
  case backup(path: String)
}

/// Who a client says it is.
public struct Hello: Sendable, Equatable {
  /// The protocol version this code speaks.
  public static let currentVersion: UInt32 = 1

  /// The protocol version the client speaks.
  public var protocolVersion: UInt32
  /// Program and version, for people.
  public var client: String
  /// The name under which its claims are shown.
  public var workerName: String
  /// The client wants to be refused every change.
  public var readOnly: Bool

  /// A hello from its parts.
  public init(
    protocolVersion: UInt32 = Hello.currentVersion, client: String = "", workerName: String = "",
    readOnly: Bool = false
  ) {
    self.protocolVersion = protocolVersion
    self.client = client
    self.workerName = workerName
    self.readOnly = readOnly
  }
}

/// What a worker asks of a claim.
public struct ClaimRequest: Sendable, Equatable {
  /// The lease unless the worker says otherwise.
  public static let defaultLease: Duration = .seconds(30)

  /// Only these types; none: any.
  public var types: [String]
  /// At most this many jobs, 1–100.
  public var maxJobs: Int
  /// How long to wait for the first one; zero answers at once.
  public var wait: Duration
  /// How long the claim holds without a sign of life.
  public var lease: Duration

  /// A claim; with no argument, one job of any type, without waiting.
  public init(
    types: [String] = [], maxJobs: Int = 1, wait: Duration = .zero,
    lease: Duration = ClaimRequest.defaultLease
  ) {
    self.types = types
    self.maxJobs = maxJobs
    self.wait = wait
    self.lease = lease
  }

  /// Whether the claim would take a job of this type.
  public func accepts(type: String) -> Bool { types.isEmpty || types.contains { $0.hasBytes(of: type) } }
}
