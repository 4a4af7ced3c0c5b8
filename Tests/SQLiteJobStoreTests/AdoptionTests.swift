import Foundation
import JobModel
import JobStore
import Testing
import TestSupport

@testable import SQLiteJobStore

/// Databases of the store that JobBroker grew out of.
@Suite struct AdoptionTests {
  private static let schema = """
    CREATE TABLE audio_prep_jobs (
      jobId TEXT PRIMARY KEY, type TEXT NOT NULL, status TEXT NOT NULL DEFAULT 'pending',
      progress REAL NOT NULL DEFAULT 0, stage TEXT, metadata TEXT NOT NULL DEFAULT '{}', result TEXT, error TEXT,
      retryCount INTEGER NOT NULL DEFAULT 0, createdAt TEXT NOT NULL, updatedAt TEXT NOT NULL);
    CREATE INDEX idx_status ON audio_prep_jobs (status, createdAt);
    """
  private static let columns = """
    jobId, type, status, progress, stage, metadata, result, error, retryCount, createdAt, updatedAt
    """
  private static let now = Timestamp(milliseconds: 1_800_000_000_000)
  private static let ids = (1...6).map { "0198c000-0000-4000-8000-00000000000\($0)" }

  private let directory = TemporaryDirectory()
  private var path: String { directory.file("jobs.db") }

  @Test func `every field is adopted, and comes back through the view`() async throws {
    try original(
      """
      ('\(Self.ids[0])', 'ingest', 'complete', 100, 'done', '{"url":"https://example.org/ž"}', '{"path":"/a.wav"}',
        NULL, 1, '2024-03-01T10:00:00.123Z', '2024-03-01T10:05:00.456Z'),
      ('\(Self.ids[1])', 'preview', 'failed', 40.5, 'encoding', '{"n":12345678901234567890}', NULL, 'ffmpeg exit 1',
        2, '2024-03-01T10:00:01.000Z', '2024-03-01T10:06:00.999Z'),
      ('\(Self.ids[2])', 'save', 'cancelled', 0, NULL, '{}', NULL, NULL, 0, '2024-03-01T10:00:02.001Z',
        '2024-03-01T10:00:03.000Z'),
      ('\(Self.ids[3])', 'ingest', 'processing', 12, 'downloading', '{"a":1}', NULL, NULL, 0,
        '2024-03-01T10:00:04.000Z', '2024-03-01T10:00:05.000Z'),
      ('\(Self.ids[4])', 'ingest', 'pending', 0, NULL, '{"b":1}', NULL, NULL, 0, '2024-03-01T10:00:06.000Z',
        '2024-03-01T10:00:06.000Z'),
      ('\(Self.ids[5])', 'ingest', 'pending', 0, NULL, '{"c":1}', NULL, NULL, 0, '2024-02-01T10:00:06.000Z',
        '2024-03-01T10:00:06.000Z')
      """)
    let before = try rows(path)
    let store = try await open()

    let complete = try await get(store, 0)
    let created = Timestamp(milliseconds: 1_709_287_200_123)
    let updated = Timestamp(milliseconds: 1_709_287_500_456)
    #expect(
      complete
        == Job(
          id: complete.id, type: "ingest", status: .complete, progress: 100, stage: "done",
          metadata: #"{"url":"https://example.org/ž"}"#, result: #"{"path":"/a.wav"}"#, retryCount: 1,
          createdAt: created, updatedAt: updated, finishedAt: updated, sequence: complete.sequence))
    let failed = try await get(store, 1)
    #expect(failed.status == .failed)
    #expect(failed.progress == 40.5)
    #expect(failed.error == "ffmpeg exit 1")
    #expect(failed.retryCount == 2)
    #expect(failed.metadata == #"{"n":12345678901234567890}"#)
    #expect(try await get(store, 2).status == .cancelled)

    // The order of creation, not of the rows.
    #expect(try await store.getQueuePosition(get(store, 5).id) == 0)
    #expect(try await store.getQueuePosition(get(store, 4).id) == 1)

    let processing = try await get(store, 3)
    #expect(processing.attempt == 1)
    #expect(processing.leaseExpiresAt == Self.now + .seconds(30))
    #expect(try await store.recover().held.map(\.job.id) == [processing.id])
    _ = try await store.commit(.lose(processing.claim))
    #expect(try await get(store, 3).status == .pending)
    await store.close()

    var after = try rows(path)
    #expect(try rows(path + ".backup-v0") == before)
    #expect(try Connection(path: path + ".backup-v0").integer("PRAGMA application_id") == 0)
    // All but the lost job, which is pending by now.
    after.removeValue(forKey: Self.ids[3])
    #expect(after == before.filter { $0.key != Self.ids[3] })
  }

  @Test func `ids and JSON of other shapes are kept`() async throws {
    let upper = Self.ids[0].uppercased()
    try original(
      """
      ('job-1', 'ingest', 'pending', 0, NULL, 'not JSON "', '[1,2]', NULL, 0, 'x', 'y'),
      ('\(upper)', '', 'odd', 170, NULL, '[1, 12345678901234567890]', 'null', 'e', -1, '2024-03-01T10:00:00.000Z',
        '2024-03-01T10:00:00.000Z'),
      ('\(Self.ids[0])', 'ingest', 'pending', -3, NULL, '"text"', NULL, NULL, 0, '2024-03-01T10:00:00.000Z',
        '2024-03-01T10:00:00.000Z')
      """)
    let store = try await open()
    let jobs = try await store.list()
    #expect(jobs.count == 3)
    let named = try #require(try await store.get(JobID(derivedFrom: "job-1")))
    #expect(named.metadata == #"{"text":"not JSON \""}"#)
    #expect(named.result == #"{"value":[1,2]}"#)
    #expect(named.createdAt == Self.now)
    let odd = try #require(JobID(upper))
    let first = try #require(try await store.get(odd))
    #expect(first.status == .failed)
    #expect(first.error == "e; Adopted with the unknown status 'odd'")
    #expect(first.type == "unknown")
    #expect(first.progress == 100)
    #expect(first.metadata == #"{"value":[1,12345678901234567890]}"#)
    #expect(first.finishedAt == first.updatedAt)
    let second = try #require(try await store.get(JobID(derivedFrom: Self.ids[0])))
    #expect(second.metadata == #"{"value":"text"}"#)
    await store.close()
    #expect(try Set(rows(path).keys) == ["job-1", upper, Self.ids[0]])
  }

  @Test func `an adopted store is an ordinary one`() async throws {
    try original("('job-1', 'ingest', 'pending', 0, NULL, '{}', NULL, NULL, 0, '2024-03-01', '2024-03-01')")
    await (try await open()).close()
    let store = try await open()
    let job = try #require(try await store.claimNextPending(type: "ingest"))
    try await store.complete(job.id, attempt: 1, result: #"{"a":1}"#)
    let id = try await store.create(NewJob(type: "save")).id
    await store.close()
    #expect(try rows(path)["job-1"]?[6] == #"{"a":1}"#)
    #expect(try rows(path)[id.description]?[1] == "save")
    #expect(throws: SQLiteError.self) { try Connection(path: path).run("DELETE FROM audio_prep_jobs") }
  }

  @Test func `texts that no frame could hold are left out, and an error says so`() async throws {
    let (large, long) = (
      "json_object('a', hex(zeroblob(\(Limits.payload))))", "hex(zeroblob(\(Limits.error)))"
    )
    try original(
      """
      ('\(Self.ids[0])', 'ingest', 'pending', 0, NULL, \(large), NULL, NULL, 0, '2024-03-01', '2024-03-01'),
      ('\(Self.ids[1])', 'ingest', 'complete', 100, \(long), '{}', \(large), NULL, 0, '2024-03-01', '2024-03-01'),
      ('\(Self.ids[2])', 'ingest', 'complete', 100, 'done', \(large), '{"a":1}', NULL, 0, '2024-03-01',
        '2024-03-01'),
      ('\(Self.ids[3])', 'ingest', 'processing', 1, NULL, \(large), NULL, \(long), 0, '2024-03-01', '2024-03-01'),
      ('\(Self.ids[4])', 'ingest', 'pending', 0, NULL, '{"b":1}', NULL, NULL, 0, '2024-03-01', '2024-03-01')
      """)
    let store = try await open()
    let jobs = [
      try await get(store, 0), try await get(store, 1), try await get(store, 2), try await get(store, 3),
    ]
    #expect(jobs.map(\.status) == [.failed, .complete, .complete, .failed])
    #expect(jobs.map(\.metadata) == ["{}", "{}", "{}", "{}"])
    #expect(jobs.map(\.result) == [nil, nil, #"{"a":1}"#, nil])
    #expect(jobs.allSatisfy { $0.error?.contains("Adopted without its") == true })
    #expect(jobs.allSatisfy { ($0.error?.utf8.count ?? 0) <= Limits.error })
    #expect(jobs.allSatisfy { ($0.stage?.utf8.count ?? 0) <= Limits.name })
    #expect(jobs.allSatisfy { $0.leaseExpiresAt == nil && $0.finishedAt != nil })
    #expect(try await store.claimNextPending()?.id == JobID(Self.ids[4]))
    #expect(try await store.claimNextPending() == nil)
    await store.close()
  }

  @Test func `types that are no UTF-8 are promoted like others`() async throws {
    try original(
      ["FE42", "FF42"].enumerated().map { number, type in
        """
        ('\(Self.ids[number])', CAST(x'\(type)' AS TEXT), 'pending', 0, NULL, '{}', NULL, NULL, 0, '2024-03-01',
          '2024-03-01')
        """
      }.joined(separator: ", "))
    let first = try await open()
    for id in Self.ids[..<2] {
      try await first.fail(try #require(JobID(id)), error: "e", retryable: true)
    }
    await first.close()
    let store = try await SQLiteJobStore.open(path: path, clock: { Self.now + .seconds(3600) })
    guard case .promoted(let ready, _) = try await store.commit(.promote) else {
      Issue.record("not promoted")
      return
    }
    #expect(ready.values.reduce(0, +) == 2)
    await store.close()
  }

  @Test func `the view shows every millisecond as it is`() async throws {
    let start: Int64 = 1_709_287_200_000
    for milliseconds in (0..<1000).map({ start + $0 * 1_001 }) {
      let time = Timestamp(milliseconds: milliseconds)
      let sql = "SELECT strftime('%Y-%m-%dT%H:%M:%fZ', \(milliseconds) / 1000.0, 'unixepoch')"
      #expect(try Connection(path: ":memory:").text(sql) == time.iso8601)
    }
  }

  @Test func `a derived id is a UUID of version 8, the same each time`() {
    let id = JobID(derivedFrom: "job-1")
    #expect(id == JobID(derivedFrom: "job-1"))
    #expect(id != JobID(derivedFrom: "job-2"))
    #expect(id.high >> 12 & 0xF == 8)
    #expect(id.low >> 62 == 0b10)
  }

  private func original(_ values: String) throws {
    try Connection(path: path).run(
      Self.schema + "INSERT INTO audio_prep_jobs (\(Self.columns)) VALUES \(values)")
  }

  private func open() async throws -> SQLiteJobStore {
    try await SQLiteJobStore.open(path: path, clock: { Self.now })
  }

  private func get(_ store: SQLiteJobStore, _ number: Int) async throws -> Job {
    let id = try #require(JobID(Self.ids[number]))
    return try #require(try await store.get(id))
  }

  /// The rows of the table or view as texts, by id.
  private func rows(_ path: String) throws -> [String: [String?]] {
    let statement = try Connection(path: path).prepare("SELECT \(Self.columns) FROM audio_prep_jobs")
    let rows = try statement.all { row in (0..<11).map { row.optionalText($0) } }
    return Dictionary(uniqueKeysWithValues: rows.map { ($0[0] ?? "", $0) })
  }
}
