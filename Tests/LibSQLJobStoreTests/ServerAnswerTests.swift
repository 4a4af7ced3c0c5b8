import JobModel
import JobStore
import LibSQLJobStore
import LibSQLTestSupport
import NIOCore
import Synchronization
import Testing

/// What servers, and what stands before them, say instead of a result.
@Suite struct ServerAnswerTests {
  @Test(arguments: [
    (400, "not JSON"), (400, #"{"error":"Malformed"}"#), (400, #"{"message":"no","code":"BATON_INVALID"}"#),
    (404, "no such database"),
    (401, #"{"error":"Bad JWT"}"#),
    (403, #"{"error":"Namespace is blocked"}"#),
    (
      200,
      #"{"baton":null,"base_url":null,"results":[{"type":"error","error":{"message":"no","code":"SQL_PARSE_ERROR"}}]}"#
    ),
  ])
  func `a refused transaction was not run`(_ status: Int, _ body: String) async throws {
    try await afterOpening({ _ in .answer(status, body) }) { store in
      let error = await error(.unavailable) { try await store.create(NewJob(type: "ingest")) }
      if status == 401 || status == 403 { #expect(error?.message.contains("TURSO_AUTH_TOKEN") == true) }
      if status == 404 { #expect(error?.message.contains("TURSO_DATABASE_URL") == true) }
    }
  }

  @Test(arguments: [
    (429, #"{"error":"slow down"}"#), (500, #"{"error":"Internal"}"#), (502, "<html>"), (503, ""),
    (200, "{}"),
    (200, #"{"results":[]}"#), (200, "not JSON"),
    (400, #"{"message":"The stream has expired due to inactivity","code":"STREAM_EXPIRED"}"#),
    (
      200,
      #"{"baton":null,"base_url":null,"results":[{"type":"error","error":{"message":"late","code":"TRANSACTION_TIMEOUT"}}]}"#
    ),
  ])
  func `what may pass is tried again`(_ status: Int, _ body: String) async throws {
    try await afterOpening({ $0 <= 2 ? .answer(status, body) : .pass }) { store in
      guard case .created(let entries) = try await store.commit(.create([NewJob(type: "ingest")])) else {
        return
      }
      #expect(entries.map(\.created) == [true])
    }
  }

  @Test func `a group of commands costs one round trip`() async throws {
    try await withServer { server in
      try await withGateway(before: server.url, plan: { _, _ in .pass }) { gateway in
        let store = try await open(gateway.url)
        let before = gateway.requests
        let jobs = (0..<100).map { _ in NewJob(type: "ingest") }
        let results = try await store.execute(
          jobs.map { .create([$0]) }
            + jobs.map { _ in .claim(types: ["ingest"], maxJobs: 1, lease: .seconds(9), worker: worker) }
            + jobs.map { .fail($0.id, attempt: 1, error: "e", retryable: false) }
            + [.prune(before: .now + .seconds(9), status: nil, type: nil, limit: 9), .promote, .changes])
        for result in results { _ = try result.get() }
        #expect(gateway.requests == before + 1)
      }
    }
  }

  @Test func `answers that are too large for the server come in parts`() async throws {
    try await withServer { server in
      let store = try await open(server.url)
      let metadata = #"{"a":""# + String(repeating: "x", count: 380_000) + #""}"#
      let jobs = (0..<40).map { _ in NewJob(type: "ingest", metadata: metadata) }
      for job in jobs { try await store.create(job) }
      let claims = jobs.map { _ in
        JobCommand.claim(types: ["ingest"], maxJobs: 1, lease: .seconds(9), worker: worker)
      }
      let claimed = try await store.execute(claims).flatMap { result in
        guard case .claimed(let jobs) = try result.get() else { return [Job]() }
        return jobs
      }
      #expect(claimed.map(\.id) == jobs.map(\.id))
    }
  }

  @Test func `what other brokers did comes in parts that fit`() async throws {
    try await withServer { server in
      let (one, other) = (try await open(server.url), try await open(server.url))
      let result = #"{"a":""# + String(repeating: "x", count: 380_000) + #""}"#
      for _ in 0..<40 {
        let job = try await one.create(NewJob(type: "ingest"))
        try await one.complete(job.id, result: result)
      }
      var seen: [JobID: Job] = [:]
      var changes = StoreChanges()
      repeat {
        changes = try await other.changes()
        #expect(changes.isComplete)
        for job in changes.jobs { seen[job.id] = job }
      } while changes.hasMore
      #expect(seen.count == 40)
      #expect(seen.values.allSatisfy { $0.result == result })
    }
  }

  /// Opens a store, and then lets `plan` decide about its requests, counted from 1.
  private func afterOpening(
    _ plan: @escaping @Sendable (Int) -> Gateway.Action, _ body: (LibSQLJobStore) async throws -> Void
  ) async throws {
    let requests = Mutex<Int?>(nil)
    try await withServer { server in
      try await withGateway(
        before: server.url,
        plan: { _, _ in
          requests.withLock { count in
            guard let number = count else { return .pass }
            count = number + 1
            return plan(number + 1)
          }
        },
        { gateway in
          let store = try await open(gateway.url)
          requests.withLock { $0 = 0 }
          try await body(store)
        })
    }
  }
}
