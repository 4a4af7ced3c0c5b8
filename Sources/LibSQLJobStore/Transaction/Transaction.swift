import JobModel
import JobStore

/// Which transaction of which broker.
struct TransactionKey: Sendable, Equatable {
  var broker: Int64
  var number: Int64
}

/// One transaction under construction: a conditional batch that takes effect as a whole, and once, however often it
/// is sent.
///
/// Nothing in it depends on what came before it but through SQL, and its answer is read from the tables, so that the
/// answer is the same when an earlier copy took effect: then the changes are skipped and the reads are not.
struct Transaction: Sendable {
  let key: TransactionKey
  private(set) var batch = HranaBatch()
  private let begin: Int
  /// Nil: it only reads, so it may as well run twice.
  private let register: Int?

  init(_ key: TransactionKey, at now: Timestamp, readsOnly: Bool) {
    self.key = key
    begin = batch.add(readsOnly ? JobStatement.beginReading.sql : "BEGIN IMMEDIATE")
    register =
      readsOnly
      ? nil
      : batch.add(
        LibSQLStatement.register, [.integer(key.broker), .integer(key.number), .time(now)], when: .ok(begin))
  }

  /// A step that changes something. Runs if one of the steps `earlier` succeeded, if `failed` did not, and if this
  /// transaction is no repetition.
  mutating func change(
    _ sql: String, _ values: [SQLValue] = [], after earlier: [Int] = [], unlessOK failed: Int? = nil
  ) -> Int {
    var conditions: [HranaBatch.Condition] = [.isInTransaction]
    let begun = earlier.isEmpty ? [register ?? begin] : earlier
    conditions.append(begun.count == 1 ? .ok(begun[0]) : .any(begun.map { .ok($0) }))
    if let failed { conditions.append(.not(.ok(failed))) }
    return batch.add(sql, values, when: .all(conditions))
  }

  mutating func change(_ step: SQLStep, after earlier: Int? = nil) -> Int {
    change(step.statement.sql, step.values, after: earlier.map { [$0] } ?? [])
  }

  /// Ends what began with the savepoint, and undoes it unless one of the steps `last` succeeded.
  mutating func end(_ savepoint: Int, unlessOK last: [Int]) {
    batch.add(
      JobStatement.rollbackToSavepoint.sql,
      when: .all([.ok(savepoint), .isInTransaction] + last.map { .not(.ok($0)) }))
    batch.add(JobStatement.releaseSavepoint.sql, when: .all([.ok(savepoint), .isInTransaction]))
  }

  /// A step that reads, unless `step` succeeded.
  mutating func read(_ sql: String, _ values: [SQLValue] = [], unlessOK step: Int? = nil) -> Int {
    batch.add(sql, values, when: step.map { .all([.ok(begin), .not(.ok($0))]) } ?? .ok(begin))
  }

  /// The parameters `?1` to `?10` of a statement about the journal; the last three say whose command it is.
  func values(_ first: [SQLValue], command: Int) -> [SQLValue] {
    first + Array(repeating: .null, count: 7 - first.count)
      + [.integer(key.broker), .integer(key.number), .integer(command)]
  }

  /// The parameters of a statement that notes one job.
  func values(of job: JobID, command: Int) -> [SQLValue] {
    [.id(job), .integer(key.broker), .integer(key.number), .integer(command)]
  }

  /// The whole batch, with its end.
  func finished(trimming: Bool) -> FinishedTransaction {
    var copy = self
    let changes =
      register == nil
      ? nil
      : copy.read(LibSQLStatement.changesOfTransaction, [.integer(key.broker), .integer(key.number)])
    if trimming, register != nil { _ = copy.change(LibSQLStatement.trim) }
    let commit = copy.batch.add("COMMIT", when: .ok(begin))
    copy.batch.add("ROLLBACK", when: .all([.ok(begin), .not(.ok(commit)), .isInTransaction]))
    return FinishedTransaction(
      batch: copy.batch, begin: begin, register: register, changes: changes, commit: commit)
  }
}

/// A transaction as it is sent.
struct FinishedTransaction: Sendable {
  let batch: HranaBatch
  /// Whether it has nothing to change.
  var isReadOnly: Bool { register == nil }
  fileprivate let begin: Int
  fileprivate let register: Int?
  fileprivate let changes: Int?
  fileprivate let commit: Int
}

/// What a transaction came to, when it was committed.
struct TransactionOutcome {
  /// A job that a command changed, as it is in the journal.
  struct ChangedJob {
    var id: JobID
    var type: String
    var attempt: Int
    var sequence: Int64
  }

  private let result: HranaResult
  private let changes: [Int: [ChangedJob]]
  /// Whether an earlier copy of the transaction took effect, and this one only read.
  let isRepeated: Bool
  /// Whether it had nothing to change.
  let isReadOnly: Bool

  /// - Throws: What kept the transaction from being committed.
  init(_ result: HranaResult, of transaction: FinishedTransaction) throws(HranaFailure) {
    for step in [transaction.begin, transaction.commit] {
      if let error = result.stepErrors[step] { throw .failed(error) }
    }
    guard result.stepResults[transaction.commit] != nil else { throw .lost("it did not run the batch") }
    isReadOnly = transaction.isReadOnly
    if let register = transaction.register, let error = result.stepErrors[register] {
      guard error.message.hasSuffix(LibSQLStatement.repeated) else { throw .failed(error) }
      isRepeated = true
    } else {
      isRepeated = false
    }
    var changes: [Int: [ChangedJob]] = [:]
    if let step = transaction.changes {
      guard let rows = result.stepResults[step]?.rows else {
        throw .lost("it did not say what the batch changed")
      }
      for row in rows {
        guard let id = row.id(1) else { continue }
        let job = ChangedJob(
          id: id, type: row.text(2), attempt: Int(row.integer(3)), sequence: row.integer(4))
        changes[Int(row.integer(0)), default: []].append(job)
      }
    }
    self.result = result
    self.changes = changes
  }

  /// The jobs that a command changed.
  func changed(by command: Int) -> [ChangedJob] { changes[command] ?? [] }

  /// Why a step failed; nil when it succeeded or was skipped.
  func error(_ step: Int) -> HranaError? { result.stepErrors[step] }

  /// What a step read.
  func rows(_ step: Int) throws(JobError) -> [HranaRow] {
    if let rows = result.stepResults[step]?.rows { return rows }
    throw JobError(.internal, result.stepErrors[step]?.description ?? "The database skipped a read")
  }

  /// What a step read, if it ran.
  func rowsIfRead(_ step: Int) -> [HranaRow] { result.stepResults[step]?.rows ?? [] }

  /// - Throws: What the schema says against a command, if one of its steps broke a constraint; what else went wrong
  ///   with one of them.
  func check(_ steps: [Int]) throws(JobError) {
    for step in steps {
      guard let error = result.stepErrors[step] else { continue }
      throw ConstraintViolation.error(message: error.message) ?? JobError(.internal, error.description)
    }
  }

  /// - Throws: UNAVAILABLE for a command that had no effect in a transaction whose first answer was lost: it is not
  ///   known why, so let it be asked again.
  func checkFirstAnswer(command: Int) throws(JobError) {
    if isRepeated, changed(by: command).isEmpty { throw .answerLost }
  }
}

extension JobError {
  fileprivate static let answerLost = JobError(
    .unavailable, "The connection to the database broke, and nothing was changed; try again")
}
