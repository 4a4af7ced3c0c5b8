import CSQLite
import Foundation
import HistorySupport
import JobModel
import Synchronization
import Testing
import TestSupport
import TrustSupport

/// What was asked of the broker in a round and what it answered, kept outside of it.
private final class Journal: Sendable {
  private let records = Mutex<(all: [RecordedOperation], acknowledged: Int)>(([], 0))
  private let milestone: AsyncStream<Void>.Continuation
  private let milestones: AsyncStream<Void>
  private let target: Int

  /// A journal whose `full` returns when `target` operations were acknowledged.
  init(until target: Int) {
    (milestones, milestone) = AsyncStream.makeStream()
    self.target = target
  }

  var contents: (all: [RecordedOperation], acknowledged: Int) { records.withLock { $0 } }

  func note(_ record: RecordedOperation) {
    let isFull = records.withLock {
      $0.all.append(record)
      guard record.reply?.code == "OK" else { return false }
      $0.acknowledged += 1
      return $0.acknowledged == target
    }
    if isFull { milestone.finish() }
  }

  func full() async { for await _ in milestones {} }

  /// Nobody will note any more.
  func end() { milestone.finish() }
}

/// Kills the broker under a load of all its operations, `JOBBROKER_KILL_ROUNDS` times, each after about
/// `JOBBROKER_KILL_OPERATIONS` acknowledged ones; when, and what is asked, follows from `JOBBROKER_KILL_SEED`.
///
/// The journal is reconciled with the file job by job: what was answered, and then the row that is there, must have an
/// order that the table of states explains (see `HistoryChecker`). An acknowledged operation that is lost, one that
/// nobody asked for, or a claim that two were given, has none. A history that has no order is printed.
@Suite(.serialized, .timeLimit(.minutes(120))) struct KillTests {
  /// Rounds on one database; the next begin with an empty one, for every round reads all that is there.
  private static let roundsPerDatabase = 25
  private static let clients = 8

  @Test func killsUnderLoadLoseNothingInventNothingAndNeverGiveAJobToTwo() async throws {
    let rounds = CampaignSize.number("JOBBROKER_KILL_ROUNDS", short: 50)
    let operations = CampaignSize.number("JOBBROKER_KILL_OPERATIONS", short: 250)
    let seed = CampaignSize.seed("JOBBROKER_KILL_SEED", short: 20_261_123)
    var random = SeededRandom(seed: seed)
    var directory = TemporaryDirectory()
    var before: [JobID: SeenReply] = [:]
    var findings = KillFindings()
    for round in 1...rounds {
      if round % Self.roundsPerDatabase == 1 {
        directory = TemporaryDirectory()
        before = [:]
      }
      let broker = try await BrokerProcess.start(in: directory)
      let target = operations / 4 + random.below(operations * 3 / 2)
      let jobs = max(8, target / 12)
      let journal = Journal(until: target)
      let seeds = (0..<Self.clients).map { _ in random.next() }
      let loads = seeds.indices.map {
        Load(
          client: $0, round: round, jobs: jobs, socket: broker.socket, waitsForBroker: false,
          record: journal.note)
      }
      async let ended: Void = {
        await withTaskGroup(of: Void.self) { group in
          for (load, seed) in zip(loads, seeds) { group.addTask { await load.run(tasks: 2, seed: seed) } }
        }
        // Before its time, if the broker has ended by itself.
        journal.end()
      }()
      await journal.full()
      #expect(await broker.process.stop(SIGKILL) == -SIGKILL, "the broker ended by itself")
      await ended
      let rows = try rows(of: broker.database)
      findings.judge(
        journal.contents, jobs: (0..<jobs).map { HistoryJob.new($0, round: round) }, rows, before: before)
      before = rows
    }
    #expect(findings.broken.isEmpty, "\(findings.broken.prefix(3).joined(separator: "\n"))")
    #expect(findings.kinds.count == RecordedOperation.Kind.allCases.count, "\(findings.kinds)")
    CampaignOutcome(
      promise: "kill -9 loses, invents and doubles nothing",
      done: "\(rounds) kills under all operations; journal against the file, job by job; integrity_check",
      count: "\(findings.acknowledged) acknowledged operations, \(findings.jobs) jobs",
      violations: findings.broken.count, seed: "\(seed)"
    ).report()
  }

  @Test func aJournalThatDoesNotAgreeWithTheFileIsNoticed() throws {
    let job = HistoryJob.new(2, round: 1)
    func answered(
      _ kind: RecordedOperation.Kind, client: Int = 1, at time: UInt64, attempt: Int? = nil,
      _ status: JobStatus
    ) -> RecordedOperation {
      var record = RecordedOperation(kind, job: "\(job.id)", attempt: attempt, client: client, start: time)
      record.end = time + 1
      record.result = kind == .complete ? "{}" : nil
      record.reply = .ok(status, attempt: kind == .create ? 0 : 1, created: kind == .create ? true : nil)
      return record
    }
    let create = answered(.create, at: 10, .pending)
    let claim = answered(.claim, at: 20, .processing)
    let complete = answered(.complete, at: 30, attempt: 1, .complete)
    let row = SeenReply.ok(.complete, attempt: 1, result: "{}")
    func isGood(_ records: [RecordedOperation], _ rows: [JobID: SeenReply]) -> Bool {
      var findings = KillFindings()
      findings.judge((records, records.count), jobs: [job], rows, before: [:])
      return findings.broken.isEmpty
    }
    let all = [create, claim, complete]
    #expect(isGood(all, [job.id: row]))
    // Lost, undone, with another's result, invented, unasked for, and held by two.
    #expect(!isGood(all, [:]))
    #expect(!isGood(all, [job.id: .ok(.processing, attempt: 1)]))
    #expect(!isGood(all, [job.id: .ok(.complete, attempt: 1, result: #"{"a":1}"#)]))
    #expect(!isGood(all, [job.id: row, .timeOrdered(): .ok(.pending, attempt: 0)]))
    #expect(!isGood([create, claim], [job.id: row]))
    #expect(!isGood([create, claim, answered(.claim, client: 2, at: 25, .processing)], [job.id: row]))
    // A complete that was not answered may have happened, or not.
    var unanswered = complete
    (unanswered.end, unanswered.reply) = (nil, nil)
    #expect(isGood([create, claim, unanswered], [job.id: row]))
    #expect(isGood([create, claim, unanswered], [job.id: .ok(.processing, attempt: 1)]))
  }

  /// What is in a database. A copy is read, for who closes a database last tidies up what the next broker should find.
  private func rows(of path: String) throws -> [JobID: SeenReply] {
    let directory = TemporaryDirectory()
    let copy = directory.file("jobs.db")
    for suffix in ["", "-wal"] where FileManager.default.fileExists(atPath: path + suffix) {
      try FileManager.default.copyItem(atPath: path + suffix, toPath: copy + suffix)
    }
    var database: OpaquePointer?
    try #require(sqlite3_open_v2(copy, &database, SQLITE_OPEN_READWRITE, nil) == SQLITE_OK)
    defer { sqlite3_close(database) }
    var check: OpaquePointer?
    try #require(sqlite3_prepare_v2(database, "PRAGMA integrity_check", -1, &check, nil) == SQLITE_OK)
    defer { sqlite3_finalize(check) }
    try #require(sqlite3_step(check) == SQLITE_ROW)
    #expect(String(cString: sqlite3_column_text(check, 0)) == "ok")
    var statement: OpaquePointer?
    let sql = "SELECT id, status, attempt, retry_count, result FROM jobs"
    try #require(sqlite3_prepare_v2(database, sql, -1, &statement, nil) == SQLITE_OK)
    defer { sqlite3_finalize(statement) }
    var rows: [JobID: SeenReply] = [:]
    while sqlite3_step(statement) == SQLITE_ROW {
      let blob = UnsafeRawBufferPointer(start: sqlite3_column_blob(statement, 0), count: 16)
      let id = try #require(JobID(bytes: blob))
      var row = SeenReply(code: "OK")
      row.status = String(cString: sqlite3_column_text(statement, 1))
      row.attempt = Int(sqlite3_column_int64(statement, 2))
      row.retryCount = Int(sqlite3_column_int64(statement, 3))
      row.result = sqlite3_column_text(statement, 4).map { String(cString: $0) }
      rows[id] = row
    }
    return rows
  }
}

/// What came of all rounds.
private struct KillFindings {
  private(set) var broken: [String] = []
  private(set) var acknowledged = 0
  private(set) var jobs = 0
  /// What was acknowledged at least once.
  private(set) var kinds: Set<RecordedOperation.Kind> = []

  /// Reconciles a round's journal with the rows that it left.
  mutating func judge(
    _ journal: (all: [RecordedOperation], acknowledged: Int), jobs: [NewJob], _ rows: [JobID: SeenReply],
    before: [JobID: SeenReply]
  ) {
    acknowledged += journal.acknowledged
    self.jobs += jobs.count
    kinds.formUnion(journal.all.filter { $0.reply?.code == "OK" }.map(\.kind))
    let records = RoundRecords(journal.all)
    for job in jobs {
      var last = RecordedOperation(.get, job: "\(job.id)", client: 0)
      last.end = RecordedOperation.now
      last.reply = rows[job.id] ?? SeenReply(code: "NOT_FOUND")
      let history = records.history(of: job.id) + [last]
      let verdict = records.verdict(on: job, history)
      guard verdict != .linearizable else { continue }
      let lines = history.sorted { $0.start < $1.start }.map { "  \($0)" }
      broken.append("\(verdict): \(job.id)\n" + lines.joined(separator: "\n"))
    }
    let known = Set(jobs.map(\.id))
    for id in rows.keys where !known.contains(id) && before[id] == nil {
      broken.append("nobody asked for \(id)")
    }
    for (id, row) in before where row != rows[id] {
      // Nobody asks for the jobs of earlier rounds; only a lease of theirs may still run out.
      guard row.status == "processing", let now = rows[id], now.attempt == row.attempt else {
        broken.append("\(id) was \(row) and is \(rows[id].map { "\($0)" } ?? "gone")")
        continue
      }
    }
  }
}

extension SeenReply {
  fileprivate static func ok(
    _ status: JobStatus, attempt: Int, created: Bool? = nil, result: String? = nil
  ) -> SeenReply {
    var reply = SeenReply(code: "OK", created: created, result: result)
    (reply.status, reply.attempt, reply.retryCount) = (status.rawValue, attempt, 0)
    return reply
  }
}
