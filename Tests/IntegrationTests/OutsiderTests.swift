import CSQLite
import Foundation
import JobBrokerClient
import JobModel
import Synchronization
import Testing

/// Other processes that have the broker's database open: one that writes, and readers, who keep its log from shrinking.
@Suite(.timeLimit(.minutes(10))) struct OutsiderTests {
  @Test func anotherProcessThatWritesHoldsUpOnlyChangesAndIsNamed() async throws {
    try await withBroker { broker in
      let client = try await broker.client(reconnects: false)
      let writer = try Outsider(broker.database, "BEGIN IMMEDIATE", readOnly: false)
      async let refused = expect(.unavailable) { _ = try await client.create(NewJob(type: "t")) }
      // The broker serves on while the create waits.
      while try await client.stats().uptime < .seconds(1) {}
      #expect(await refused?.message.contains("Another process is writing") == true)
      #expect(try await client.list().jobs.isEmpty)
      async let patient = client.create(NewJob(type: "t"))
      withExtendedLifetime(consume writer) {}
      #expect(try await patient.created)
    }
  }

  @Test func theLogStaysSmallAmongReadersAndShrinksWhenOneThatStayedIsGone() async throws {
    try await withBroker(["--durability", "relaxed"]) { broker in
      let client = try await broker.client()
      let log = broker.database + "-wal"
      let large = #"{"x":"\#(String(repeating: "x", count: 100_000))"}"#
      func length() throws -> Int {
        try FileManager.default.attributesOfItem(atPath: log)[.size] as? Int ?? 0
      }
      func write(megabytes: Int, meanwhile: () throws -> Void = {}) async throws {
        for _ in 0..<megabytes {
          let jobs = (0..<5).map { _ in NewJob(type: "t", metadata: large) }
          for created in try await client.create(jobs) {
            try await client.complete(created.job.id)
            try await client.delete(created.job.id)
          }
          try meanwhile()
        }
      }
      let readers = try EndlessReaders(of: broker.database)
      var longest = 0
      try await write(megabytes: 120) { longest = max(longest, try length()) }
      #expect(await readers.stop() > 100, "there were hardly any")
      #expect(longest > 4 << 20 && longest < 80 << 20, "\(longest >> 20) MiB")
      do {
        let staying = try Outsider(broker.database)
        try await write(megabytes: 150)
        #expect(try length() > 64 << 20, "the reader kept nothing")
        withExtendedLifetime(staying) {}
      }
      try await write(megabytes: 40)
      #expect(try length() <= 64 << 20)
    }
  }
}

/// Readers of whom there is always one at work, but each only until the next has begun.
private final class EndlessReaders: Sendable {
  private let isStopping = Atomic(false)
  private let counts: AsyncStream<Int>

  init(of path: String) throws {
    let (counts, continuation) = AsyncStream.makeStream(of: Int.self)
    self.counts = counts
    Thread.detachNewThread { [self] in
      var count = 0
      var current = try? Outsider(path)
      while !isStopping.load(ordering: .acquiring), let next = try? Outsider(path) {
        current = next
        count += 1
      }
      withExtendedLifetime(current) {}
      continuation.yield(count)
      continuation.finish()
    }
  }

  /// Ends them; returns how many there were.
  func stop() async -> Int {
    isStopping.store(true, ordering: .releasing)
    return await counts.first { _ in true } ?? 0
  }
}

/// Somebody who has the database in one transaction for as long as this exists.
private final class Outsider {
  private var database: OpaquePointer?

  init(
    _ path: String, _ statements: String = "BEGIN; SELECT count(*) FROM audio_prep_jobs LIMIT 1",
    readOnly: Bool = true
  ) throws {
    let flags = readOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE
    try #require(sqlite3_open_v2(path, &database, flags, nil) == SQLITE_OK)
    try #require(sqlite3_exec(database, statements, nil, nil, nil) == SQLITE_OK)
  }

  deinit { sqlite3_close(database) }
}
