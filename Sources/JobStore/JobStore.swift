import JobModel

/// Where the jobs are kept. The seam between the broker and a database.
///
/// Its primitive is the batch: commands run in order as one atomic transaction, and an ordinary error (NOT_FOUND,
/// STALE_CLAIM, …) fails its own command alone. Every transition is guarded in the store's SQL, so that it holds
/// when several brokers share one database.
///
/// A transaction and its durability are two steps, so that a broker can run the next transaction while the disk
/// is still busy with the last. `commit` is both.
public protocol JobStore: Sendable {
  /// Runs the commands as one transaction. When it returns, they are visible to every reader and survive the end
  /// of this process; `sync` makes them survive a power cut. One result a command, in order.
  ///
  /// - Throws: UNKNOWN_OUTCOME when the transaction may or may not have happened and the store can't go on;
  ///   UNAVAILABLE when it did not happen. A store that can go on gives each command UNKNOWN_OUTCOME as its result.
  func execute(_ commands: [JobCommand]) async throws(JobError) -> [Result<JobReply, JobError>]

  /// Makes every transaction that `execute` has returned durable. May run while another `execute` is under way.
  ///
  /// - Throws: UNKNOWN_OUTCOME; the caller must not try again (fsync reports a lost write once) but end.
  func sync() async throws(JobError)

  /// One job with its history; nil when there is none.
  func get(_ id: JobID) async throws(JobError) -> Job?

  /// Jobs, newest first.
  func list(_ filter: JobFilter) async throws(JobError) -> JobPage

  /// The place in the queue; −1 when the job is not pending, or unknown.
  func position(_ id: JobID) async throws(JobError) -> QueuePosition

  /// Counters by type, in alphabetical order of types.
  func stats() async throws(JobError) -> [TypeStats]

  /// What the last broker left: claims in force, paused types, jobs that wait for a moment.
  func recover() async throws(JobError) -> Recovery

  /// Writes a consistent copy to a new file.
  ///
  /// - Throws: ALREADY_EXISTS when there is a file at `path`, INVALID_ARGUMENT when none can be made there, UNSUPPORTED when
  ///   the store can't.
  func backup(to path: String) async throws(JobError)

  /// Closes the store; nothing may be called afterwards.
  func close() async

  /// How often to run `JobCommand.changes` while anybody waits for what others may do; nil when the store has no
  /// other users.
  var pollInterval: Duration? { get }

  /// Whether a transaction is mostly a wait for the network: then it is worth a little of that time to let more
  /// commands share it.
  var isRemote: Bool { get }

  /// Whether the transaction that is under way has changed nothing so far, for it waits for another process.
  var isHeldUp: Bool { get }

  /// Where the store runs, when that is one thread: a task that prefers this executor calls it without a change of
  /// thread.
  var executor: (any TaskExecutor)? { get }

  /// Which store it is, for people: `sqlite:/var/lib/jobbroker/jobs.db`.
  var name: String { get }
}

extension JobStore {
  /// Nil: the store has no other users.
  public var pollInterval: Duration? { nil }

  /// False: the store has no other users, or does not know.
  public var isHeldUp: Bool { false }

  /// False: the store is on this host.
  public var isRemote: Bool { false }

  /// Runs the commands as one atomic, durable transaction.
  public func commit(_ commands: [JobCommand]) async throws(JobError) -> [Result<JobReply, JobError>] {
    let results = try await execute(commands)
    try await sync()
    return results
  }
}
