import JobModel
import JobStore
import Logging

/// Jobs in a libSQL database behind the network: Turso's, or one's own sqld. Several brokers may share it.
///
/// A group of commands costs one round trip: it is one conditional batch (`Transaction`), whose results are judged
/// when they come back. One that got no answer is sent again, which is harmless, until there is one or patience
/// ends.
public actor LibSQLJobStore: JobStore {
  /// `libsql:` and the server.
  public nonisolated let name: String
  /// How often to look for what other brokers changed.
  public nonisolated let pollInterval: Duration?

  let client: HranaClient
  let configuration: LibSQLConfiguration
  private let broker: Int64
  private let clock: @Sendable () -> Timestamp
  private let random: @Sendable () -> Double
  private let logger: Logger
  /// Transactions go out one after the other, so that each is behind the last in the numbers too.
  private let turn = Turn()
  private var isAway = false
  private var lastTransaction: Int64 = 0
  /// The last one that was answered: none before it can take effect any more.
  private var lastAnswered: Int64 = 0
  /// Transactions of which it is not known whether they took effect; they are told like another broker's.
  private var doubtful: Set<Int64> = []
  /// What other brokers did is known up to this change.
  private var knownChange: Int64
  /// Changes looked at in one transaction; fewer when their jobs are large.
  private var journalPage = LibSQLJobStore.largestJournalPage
  private static let largestJournalPage = 500

  init(
    _ client: HranaClient, _ configuration: LibSQLConfiguration, broker: Int64, knownChange: Int64,
    clock: @escaping @Sendable () -> Timestamp, random: @escaping @Sendable () -> Double, logger: Logger
  ) {
    name = "libsql:" + configuration.endpoint.authority
    pollInterval = configuration.pollInterval
    self.client = client
    self.configuration = configuration
    self.broker = broker
    self.knownChange = knownChange
    self.clock = clock
    self.random = random
    self.logger = logger
  }

  /// True.
  public nonisolated var isRemote: Bool { true }

  /// The network's own threads do the work.
  public nonisolated var executor: (any TaskExecutor)? { nil }

  /// Does nothing: the server makes a transaction durable before it answers.
  public nonisolated func sync() {}

  /// Copies nothing: a server has its own backups.
  ///
  /// - Throws: UNSUPPORTED.
  public nonisolated func backup(to path: String) throws(JobError) {
    throw JobError(
      .unsupported,
      "The database is on \(name): back it up there (turso db export, or the server's own backups)")
  }

  /// Closes the connections.
  public func close() async { await client.close() }

  // MARK: Changes

  /// Runs the commands as one transaction, in one round trip. When the server gave no answer for so long that nobody
  /// can tell, each command fails with UNKNOWN_OUTCOME, and the store goes on.
  ///
  /// - Throws: UNAVAILABLE when the server can't be reached or would not run it.
  public func execute(_ commands: [JobCommand]) async throws(JobError) -> [Result<JobReply, JobError>] {
    if commands.isEmpty { return [] }
    await turn.take()
    let outcome: Result<[Result<JobReply, JobError>], JobError>
    do throws(JobError) { outcome = .success(try await run(commands[...])) } catch {
      outcome = .failure(error)
    }
    await turn.pass()
    return try outcome.get()
  }

  private func run(
    _ commands: ArraySlice<JobCommand>
  ) async throws(JobError) -> [Result<JobReply, JobError>] {
    lastTransaction += 1
    let number = lastTransaction
    let now = clock()
    let key = TransactionKey(broker: broker, number: number)
    var planner = CommandPlanner(
      transaction: Transaction(key, at: now, readsOnly: commands.allSatisfy(\.isRead)),
      journal: JournalPage(after: knownChange, limit: journalPage, including: doubtful), now: now,
      retryPolicy: configuration.retryPolicy, random: random)
    let plans = commands.enumerated().map { planner.plan($1, number: $0) }
    let transaction = planner.transaction.finished(trimming: number % 64 == 0)
    switch await send(transaction) {
    case .success(let outcome):
      if !outcome.isReadOnly { lastAnswered = number }
      var results: [Result<JobReply, JobError>] = []
      results.reserveCapacity(plans.count)
      for plan in plans {
        do throws(JobError) {
          var reply = try plan.judge(outcome)
          if case .changes(let changes) = reply { reply = .changes(try await taken(changes)) }
          results.append(.success(reply))
        } catch { results.append(.failure(error)) }
      }
      return results
    case .failure(.failed(let error)) where error.isTooLarge && commands.count > 1:
      // The server has undone it. Halves have smaller answers.
      let middle = commands.startIndex + commands.count / 2
      let first = try await run(commands[..<middle])
      do throws(JobError) { return first + (try await run(commands[middle...])) } catch {
        return first + commands[middle...].map { _ in .failure(error) }
      }
    case .failure(.failed(let error)) where error.isTooLarge && commands.first == .changes && journalPage > 1:
      journalPage = max(1, journalPage / 8)
      return try await run(commands)
    case .failure(.failed(let error)) where error.isTooLarge:
      return [.failure(JobError(.resourceExhausted, "The answer is larger than the database sends"))]
    case .failure(let failure) where failure.isAmbiguous && !transaction.isReadOnly:
      doubtful.insert(number)
      logger.error("The database may or may not have done what it was sent", metadata: ["why": "\(failure)"])
      return commands.map { .failure(.unknownOutcome(of: $0, failure)) }
    case .failure(let failure): throw JobError(.unavailable, "The database \(failure)")
    }
  }

  /// What others did is known further. Where some of it is forgotten, what is in force is read anew.
  private func taken(_ changes: StoreChanges) async throws(JobError) -> StoreChanges {
    var changes = changes
    if !changes.isComplete { changes.recovery = try await recover() }
    knownChange = changes.last
    journalPage = min(journalPage * 2, Self.largestJournalPage)
    // What is older than an answered transaction can't take effect any more, so it has been told if it did.
    if !changes.hasMore { doubtful = doubtful.filter { $0 > lastAnswered } }
    return changes
  }

  /// Sends a transaction until there is an answer.
  private func send(_ transaction: FinishedTransaction) async -> Result<TransactionOutcome, HranaFailure> {
    var doubt: HranaFailure?
    var backoff = Backoff(patience: configuration.patience)
    while true {
      do throws(HranaFailure) {
        let outcome = try TransactionOutcome(try await client.run(transaction.batch), of: transaction)
        if isAway { logger.notice("The database is back", metadata: ["database": "\(name)"]) }
        isAway = false
        return .success(outcome)
      } catch {
        if !isAway, !error.isOrdinary {
          logger.error("The database \(error)", metadata: ["database": "\(name)"])
          isAway = true
        }
        if error.isAmbiguous, !transaction.isReadOnly { doubt = error }
        let mayTryAgain = error.isPassing || doubt != nil
        guard mayTryAgain, await backoff.wait() else { return .failure(doubt ?? error) }
      }
    }
  }
}

extension JobError {
  /// What to say of a command when nobody can tell whether it was run. A claim may be asked again: if it took a job,
  /// that comes back when its lease runs out.
  fileprivate static func unknownOutcome(of command: JobCommand, _ failure: HranaFailure) -> JobError {
    if case .claim = command { return JobError(.unavailable, "The database \(failure)") }
    return JobError(.unknownOutcome, "The database \(failure); read the job again")
  }
}

extension JobCommand {
  /// Whether it changes nothing.
  fileprivate var isRead: Bool {
    switch self {
    case .snapshot, .changes: true
    default: false
    }
  }
}
