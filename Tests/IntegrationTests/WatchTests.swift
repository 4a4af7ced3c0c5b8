import JobBrokerClient
import JobModel
import JobProtocol
import Testing

@Suite struct WatchTests {
  @Test func aWatchBeginsWithASnapshotAndMissesNoChange() async throws {
    try await withBroker { broker in
      let client = try await broker.client()
      let before = try await client.create(NewJob(type: "t")).job.id
      _ = try await client.create(NewJob(type: "other"))
      let watch = try await client.watch(WatchSelection(types: ["t"]))
      let after = try await client.create(NewJob(type: "t")).job.id
      let job = try #require(try await client.claim(ClaimRequest(types: ["t"])).first)
      _ = try await client.update(job.id, JobUpdate(progress: 10, stage: .set("one")), attempt: 1)
      _ = try await client.complete(job.id, result: #"{"r":1}"#, attempt: 1)
      _ = try await client.delete(after)
      var seen: [WatchEvent] = []
      for try await event in watch {
        seen.append(event)
        if event == .deleted(after) { break }
      }
      guard case .snapshot(let jobs, let truncated) = seen.first else {
        Issue.record("no snapshot: \(seen)")
        return
      }
      #expect(jobs.map(\.id) == [before] && !truncated)
      let changes = seen.dropFirst().compactMap { event -> String? in
        guard case .changed(let job) = event else { return nil }
        return "\(job.id == before ? "before" : "after") \(job.status) \(job.progress) \(job.result ?? "-")"
      }
      #expect(
        changes == [
          "after pending 0.0 -", "before processing 0.0 -", "before processing 10.0 -",
          #"before complete 100.0 {"r":1}"#,
        ])
    }
  }

  @Test func aWatcherThatNeverReadsIsToldToWatchAgainAndNobodyElseNotices() async throws {
    try await withBroker { broker in
      let sleeper = try RawConnection(to: broker.socket)
      try await sleeper.greet()
      try await sleeper.write(Request(id: 2, operation: .watch(WatchSelection())))
      let client = try await broker.client()
      try await until(client.stats) { $0.watches > 0 }
      // Events of half a kilobyte, more than the sockets' buffers and the watch's backlog hold together.
      for batch in 1...5 {
        let padding = String(repeating: "k", count: 200)
        _ = try await client.create(
          (1...1000).map { NewJob(type: "t", uniqueKey: "\(padding) \(batch) \($0)") })
      }
      var sawResync = false
      while !sawResync, let response = try await sleeper.read() {
        sawResync = response.reply == .event(.resync)
      }
      #expect(sawResync)
    }
  }

  @Test func anEndedWatchSendsNothingMore() async throws {
    try await withBroker { broker in
      let raw = try RawConnection(to: broker.socket)
      try await raw.greet()
      #expect(try await raw.ask(2, .watch(WatchSelection())) == .snapshot([], more: false, truncated: false))
      #expect(try await raw.ask(3, .unwatch(id: 2)) == .done)
      _ = try await raw.ask(4, .create([NewJob(type: "t")]))
      try await raw.write(Request(id: 5, operation: .ping))
      #expect(try await raw.read()?.id == 5)
    }
  }
}
