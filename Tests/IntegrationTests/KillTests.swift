import CSQLite
import Foundation
import JobBrokerClient
import JobModel
import Synchronization
import Testing

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

@Suite(.serialized) struct KillTests {
  @Test func fiftyKillsUnderLoadLoseNothingInventNothingAndNeverGiveAJobToTwo() async throws {
    var random = SeededRandom(seed: 20_261_123)
    let directory = TemporaryDirectory()
    var state = Journal.State()
    for round in 1...50 {
      let broker = try await BrokerProcess.start(in: directory)
      let journal = Journal(state, until: Int.random(in: 50...400, using: &random))
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
      try reconcile(state, with: try rows(of: broker.database), round: round)
    }
    #expect(state.completed.count > 500, "too little was done for the test to mean anything")
  }

  private func reconcile(_ state: Journal.State, with rows: [JobID: Row], round: Int) throws {
    let lost = state.created.filter { rows[$0] == nil }
    #expect(lost.isEmpty, "round \(round): \(lost.count) acknowledged creates are not in the file")
    let invented = rows.keys.filter { !state.asked.contains($0) }
    #expect(invented.isEmpty, "round \(round): \(invented.count) jobs in the file nobody asked for")
    for (id, result) in state.completed {
      let row = try #require(rows[id])
      #expect(row.status == "complete" && row.result == result, "round \(round): \(id) is \(row)")
    }
    for (id, row) in rows where row.status == "complete" {
      #expect(state.askedToComplete.contains(id), "round \(round): nobody asked to complete \(id)")
    }
    for (claim, holders) in state.holders {
      #expect(holders.count == 1, "round \(round): \(claim) was held by \(holders)")
      let row = try #require(rows[claim.id])
      #expect(row.attempt >= claim.attempt, "round \(round): \(claim) was forgotten")
    }
  }

  private func rows(of path: String) throws -> [JobID: Row] {
    var database: OpaquePointer?
    try #require(sqlite3_open_v2(path, &database, SQLITE_OPEN_READWRITE, nil) == SQLITE_OK)
    defer { sqlite3_close(database) }
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

/// A small generator with a seed (SplitMix64, Steele et al. 2014), so that a failure can be had again.
struct SeededRandom: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
