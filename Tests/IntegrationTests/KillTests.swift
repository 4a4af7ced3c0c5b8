import CSQLite
import Foundation
import JobBrokerClient
import JobModel
import Synchronization
import Testing
import TrustSupport

/// What was asked of the broker and what it acknowledged, kept outside of it.
private final class Journal: Sendable {
  struct State {
    var asked: Set<JobID> = []
    var created: Set<JobID> = []
    var askedToComplete: Set<JobID> = []
    var completed: [JobID: String] = [:]
    var holders: [ClaimToken: Set<String>] = [:]
    var acknowledged = 0
  }

  private let state = Mutex(State())
  private let milestone: AsyncStream<Void>.Continuation
  private let milestones: AsyncStream<Void>
  private let target: Int

  /// A journal whose `full` returns when `target` operations were acknowledged in this round.
  init(_ earlier: State = State(), until target: Int) {
    (milestones, milestone) = AsyncStream.makeStream()
    self.target = earlier.acknowledged + target
    state.withLock { $0 = earlier }
  }

  var contents: State { state.withLock { $0 } }

  func note(_ change: (inout State) -> Void) { state.withLock { change(&$0) } }

  func acknowledge(_ change: (inout State) -> Void) {
    let isFull = state.withLock {
      change(&$0)
      $0.acknowledged += 1
      return $0.acknowledged == target
    }
    if isFull { milestone.finish() }
  }

  func full() async { for await _ in milestones {} }
}

/// A row of the file.
private struct Row {
  var status: String
  var attempt: Int
  var result: String?
}

/// Kills the broker under load, `JOBBROKER_KILL_ROUNDS` times, each after about `JOBBROKER_KILL_OPERATIONS`
/// acknowledged operations; when, follows from `JOBBROKER_KILL_SEED`.
@Suite(.serialized) struct KillTests {
  /// Rounds on one database; the next begin with an empty one, for every round reads all that is there.
  private static let roundsPerDatabase = 25

  @Test func killsUnderLoadLoseNothingInventNothingAndNeverGiveAJobToTwo() async throws {
    let rounds = CampaignSize.number("JOBBROKER_KILL_ROUNDS", short: 50)
    let operations = CampaignSize.number("JOBBROKER_KILL_OPERATIONS", short: 225)
    let seed = CampaignSize.seed("JOBBROKER_KILL_SEED", short: 20_261_123)
    var random = SeededRandom(seed: seed)
    var directory = TemporaryDirectory()
    var state = Journal.State()
    var (acknowledged, completed, violations) = (0, 0, 0)
    for round in 1...rounds {
      if round % Self.roundsPerDatabase == 1 {
        acknowledged += state.acknowledged
        completed += state.completed.count
        state = Journal.State()
        directory = TemporaryDirectory()
      }
      let broker = try await BrokerProcess.start(in: directory)
      let journal = Journal(state, until: Int.random(in: operations / 4...operations * 7 / 4, using: &random))
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 1...4 {
          let producer = try await broker.client(reconnects: false)
          let worker = try await broker.client(name: "worker \(round).\(number)", reconnects: false)
          group.addTask { await produce(producer, journal) }
          group.addTask { await work(worker, journal) }
        }
        await journal.full()
        await broker.process.stop(SIGKILL)
        try await group.waitForAll()
      }
      state = journal.contents
      let broken = Self.rules(brokenIn: try rows(of: broker.database), state)
      violations += broken.count
      #expect(broken.isEmpty, "round \(round): \(broken.prefix(5).joined(separator: "; "))")
    }
    acknowledged += state.acknowledged
    completed += state.completed.count
    CampaignOutcome(
      promise: "kill -9 loses, invents and doubles nothing",
      done: "\(rounds) kills under create, claim, complete; journal against the file; integrity_check",
      count: "\(acknowledged) acknowledged operations, \(completed) of them finishes", violations: violations,
      seed: "\(seed)"
    ).report()
    #expect(completed > 10 * rounds, "too little was done for the test to mean anything")
  }

  @Test func aJournalThatDoesNotAgreeWithTheFileIsNoticed() throws {
    let (created, completed) = (JobID.timeOrdered(), JobID.timeOrdered())
    var state = Journal.State()
    state.asked = [created, completed]
    state.created = [created, completed]
    state.askedToComplete = [completed]
    state.completed = [completed: "{}"]
    state.holders = [ClaimToken(id: completed, attempt: 1): ["one"]]
    let good = [
      created: Row(status: "pending", attempt: 0),
      completed: Row(status: "complete", attempt: 1, result: "{}"),
    ]
    #expect(Self.rules(brokenIn: good, state).isEmpty)
    let lost = good.filter { $0.key != created }
    let invented = good.merging([JobID.timeOrdered(): Row(status: "pending", attempt: 0)]) { $1 }
    let undone = good.merging([completed: Row(status: "processing", attempt: 1)]) { $1 }
    let unasked = good.merging([created: Row(status: "complete", attempt: 1)]) { $1 }
    for bad in [lost, invented, undone, unasked] { #expect(Self.rules(brokenIn: bad, state).count == 1) }
    state.holders = [ClaimToken(id: completed, attempt: 1): ["one", "two"]]
    #expect(Self.rules(brokenIn: good, state).count == 1)
    state.holders = [ClaimToken(id: completed, attempt: 2): ["one"]]
    #expect(Self.rules(brokenIn: good, state).count == 1)
  }

  /// What the file says that the journal can't agree with.
  private static func rules(brokenIn rows: [JobID: Row], _ state: Journal.State) -> [String] {
    var broken = state.created.filter { rows[$0] == nil }.map { "the acknowledged create of \($0) is lost" }
    broken += rows.keys.filter { !state.asked.contains($0) }.map { "nobody asked for \($0)" }
    for (id, result) in state.completed {
      guard let row = rows[id] else { continue }
      if row.status != "complete" || row.result != result {
        broken.append("\(id) was completed and is \(row)")
      }
    }
    for (id, row) in rows where row.status == "complete" && state.asked.contains(id) {
      if !state.askedToComplete.contains(id) { broken.append("nobody asked to complete \(id)") }
    }
    for (claim, holders) in state.holders {
      if holders.count != 1 { broken.append("\(claim) was held by \(holders)") }
      if let row = rows[claim.id], row.attempt < claim.attempt { broken.append("\(claim) was forgotten") }
    }
    return broken
  }

  /// What is in a database. A copy is read, for who closes a database last tidies up what the next broker should find.
  private func rows(of path: String) throws -> [JobID: Row] {
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
    let sql = "SELECT id, status, attempt, result FROM jobs"
    try #require(sqlite3_prepare_v2(database, sql, -1, &statement, nil) == SQLITE_OK)
    defer { sqlite3_finalize(statement) }
    var rows: [JobID: Row] = [:]
    while sqlite3_step(statement) == SQLITE_ROW {
      let blob = UnsafeRawBufferPointer(start: sqlite3_column_blob(statement, 0), count: 16)
      let id = try #require(JobID(bytes: blob))
      let result = sqlite3_column_text(statement, 3).map { String(cString: $0) }
      rows[id] = Row(
        status: String(cString: sqlite3_column_text(statement, 1)),
        attempt: Int(sqlite3_column_int64(statement, 2)), result: result)
    }
    return rows
  }
}

/// Creates jobs one after the other until the broker is gone.
private func produce(_ client: JobBrokerClient, _ journal: Journal) async {
  while true {
    let job = NewJob(type: "load", metadata: #"{"n":1}"#)
    journal.note { $0.asked.insert(job.id) }
    do throws(JobError) {
      _ = try await client.create(job)
      journal.acknowledge { $0.created.insert(job.id) }
    } catch { break }
  }
  await client.close()
}

/// Claims and completes until the broker is gone.
private func work(_ client: JobBrokerClient, _ journal: Journal) async {
  let name = client.configuration.workerName
  while true {
    do {
      let jobs = try await client.claim(ClaimRequest(types: ["load"], wait: .seconds(60)))
      for job in jobs {
        journal.acknowledge { $0.holders[job.claim, default: []].insert(name) }
        let result = #"{"by":"\#(name)"}"#
        journal.note { $0.askedToComplete.insert(job.id) }
        _ = try await client.complete(job.id, result: result, attempt: job.attempt)
        journal.acknowledge { $0.completed[job.id] = result }
      }
    } catch { break }
  }
  await client.close()
}
