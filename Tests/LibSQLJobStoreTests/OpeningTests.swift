import JobModel
import JobStore
import LibSQLJobStore
import LibSQLTestSupport
import NIOCore
import Synchronization
import Testing

/// What a database is found to be, and what becomes of it.
@Suite struct OpeningTests {
  @Test func `brokers that start at once on a new database share it`() async throws {
    try await withServer { server in
      let stores = try await withThrowingTaskGroup(of: LibSQLJobStore.self) { group in
        for _ in 0..<8 { group.addTask { try await open(server.url) } }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      let job = try await stores[0].create(NewJob(type: "ingest"))
      for store in stores {
        #expect(try await store.get(job.id)?.id == job.id)
      }
    }
  }

  @Test func `a newer schema and another program's database are refused`() async throws {
    try await withServer { server in
      try await server.run(["PRAGMA user_version = 99"])
      await error(.unsupported) { _ = try await open(server.url) }
    }
    try await withServer { server in
      try await server.run(["CREATE TABLE customers (id INTEGER)"])
      await error(.invalidArgument) { _ = try await open(server.url) }
      #expect(try await server.run(["SELECT count(*) FROM sqlite_master"]).contains(#""value":"1""#))
    }
  }

  @Test func `a database of the local store is taken over`() async throws {
    try await withServer { server in
      try await server.run(JobSchema.migrations.joined() + ["PRAGMA user_version = \(JobSchema.version)"])
      let store = try await open(server.url)
      #expect(try await store.create(NewJob(type: "ingest")).status == .pending)
    }
  }

  @Test func `what another writer kept from being made is made the next time`() async throws {
    try await withServer { server in
      try await server.run(JobSchema.migrations.joined() + ["PRAGMA user_version = \(JobSchema.version)"])
      let isFirst = Mutex(true)
      try await withGateway(
        before: server.url,
        plan: { _, body in
          let text = String(buffer: body)
          guard text.contains("CREATE TABLE"),
            isFirst.withLock({ isFirst in
              defer { isFirst = false }
              return isFirst
            })
          else { return .pass }
          let steps = text.components(separatedBy: #""stmt":"#).count - 1
          let skipped = Array(repeating: "null", count: steps - 1)
          let busy = #"{"message":"database is locked","code":"SQLITE_BUSY"}"#
          return .answer(
            200,
            #"{"baton":null,"base_url":null,"results":[{"type":"ok","response":{"type":"batch","result":{"#
              + #""step_results":[\#((skipped + ["null"]).joined(separator: ","))],"#
              + #""step_errors":[\#(([busy] + skipped).joined(separator: ","))]}}}]}"#)
        },
        { gateway in
          let store = try await open(gateway.url)
          #expect(try await store.create(NewJob(type: "ingest")).status == .pending)
        })
    }
  }

  private static let original = """
    CREATE TABLE audio_prep_jobs (
      jobId TEXT PRIMARY KEY, type TEXT NOT NULL, status TEXT NOT NULL DEFAULT 'pending',
      progress REAL NOT NULL DEFAULT 0, stage TEXT, metadata TEXT NOT NULL DEFAULT '{}', result TEXT, error TEXT,
      retryCount INTEGER NOT NULL DEFAULT 0, createdAt TEXT NOT NULL, updatedAt TEXT NOT NULL)
    """

  @Test func `the jobs of the original store are adopted`() async throws {
    let id = "0198c000-0000-4000-8000-000000000001"
    try await withServer { server in
      try await server.run([
        Self.original, "CREATE INDEX idx_status ON audio_prep_jobs (status, createdAt)",
        """
        INSERT INTO audio_prep_jobs VALUES
          ('\(id)', 'ingest', 'complete', 100, 'done', '{"url":"ž"}', '{"path":"/a"}', NULL, 1,
            '2024-03-01T10:00:00.123Z', '2024-03-01T10:05:00.456Z'),
          ('\(id.uppercased())', 'ingest', 'odd', 170, NULL, '"text"', NULL, 'e', -1, '2024-03-01T10:00:01.000Z', 'x'),
          ('job-1', 'save', 'processing', 12, NULL, 'no JSON', '[1]', NULL, 0, '2024-02-01T10:00:00.000Z', 'x'),
          ('job-2', 'save', 'pending', 0, NULL, '{}', NULL, NULL, 0, '2024-02-02T10:00:00.000Z', 'x')
        """,
      ])
      // Whoever comes at the same time finds it done.
      let stores = try await withThrowingTaskGroup(of: LibSQLJobStore.self) { group in
        for _ in 0..<8 { group.addTask { try await open(server.url) } }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      let store = stores[0]
      let jobs = try await store.list()
      #expect(jobs.map(\.type) == ["ingest", "ingest", "save", "save"], "in the order of their creation")
      let uuid = try #require(JobID(id))
      let complete = try #require(try await store.get(uuid))
      #expect(complete.status == .complete)
      #expect(complete.createdAt == Timestamp(milliseconds: 1_709_287_200_123))
      #expect(complete.metadata == #"{"url":"ž"}"#)
      let odd = try #require(try await store.get(JobID(derivedFrom: id.uppercased())))
      #expect(odd.error == "e; Adopted with the unknown status 'odd'")
      #expect(odd.metadata == #"{"value":"text"}"#)
      #expect(try await store.recover().held.map(\.job.id) == [JobID(derivedFrom: "job-1")])
      #expect(try await store.claim().map(\.id) == [JobID(derivedFrom: "job-2")])
      let view = try await server.run(["SELECT jobId FROM audio_prep_jobs ORDER BY createdAt"])
      for text in ["job-1", "job-2", id, id.uppercased()] { #expect(view.contains(#""value":"\#(text)""#)) }
    }
  }

  @Test func `ten thousand original jobs and more are adopted in parts`() async throws {
    try await withServer { server in
      try await server.run([
        Self.original,
        """
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10500)
        INSERT INTO audio_prep_jobs (jobId, type, createdAt, updatedAt)
        SELECT 'job-' || i, 'ingest', '2024-03-01T10:00:00.000Z', '2024-03-01T10:00:00.000Z' FROM n
        """,
      ])
      let store = try await open(server.url)
      #expect(try await store.stats().first?.counts[.pending] == 10_500)
      #expect(try await store.getQueuePosition(JobID(derivedFrom: "job-10500")) == 10_499)
    }
  }
}
