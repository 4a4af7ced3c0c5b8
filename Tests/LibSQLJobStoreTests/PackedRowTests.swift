import JobModel
import JobStore
import LibSQLJobStore
import LibSQLTestSupport
import Testing

/// Jobs travel packed in the answers to commands, and column by column in those to reads.
@Suite struct PackedRowTests {
  @Test func `a command answers with the very job that a read finds`() async throws {
    try await withServer { server in
      let store = try await open(server.url)
      let odd = "é😀 \"\\\u{1F} [1,2] 007 null"
      let metadata = #"{"text":"é😀 \"\\ \u0001","numbers":[1.50,1e400,9007199254740993],"null":null}"#
      let new = NewJob(
        type: odd, metadata: metadata, priority: .min, maxRetries: 1_000_000, uniqueKey: odd)
      _ = try await store.commit(.create([new]))
      let holder = WorkerIdentity(name: odd, pid: .max, uid: .max)
      let claim = JobCommand.claim(types: [odd], maxJobs: 1, lease: .seconds(30), worker: holder)
      let claimed = try await store.get(new.id, after: claim)
      #expect(claimed.reply == .claimed([claimed.job]))
      #expect(claimed.job.metadata == metadata && claimed.job.worker == holder)

      let update = JobUpdate(progress: 100.0 / 3, stage: .set(odd), result: metadata, error: odd)
      let updated = try await store.get(new.id, after: .update(new.id, attempt: 1, update))
      #expect(updated.job.progress == 100.0 / 3 && updated.job.stage == odd)
      var brief = updated.job
      brief.metadata = nil
      #expect(updated.reply == .job(brief, changed: true))
      let snapshot = try await store.commit(.snapshot(WatchSelection(ids: [new.id]), limit: 9))
      #expect(snapshot == .snapshot([brief], truncated: false))

      let repeated = try await store.get(new.id, after: .create([new]))
      #expect(repeated.reply == .created([CreatedJob(job: repeated.job.outline, created: false)]))
    }
  }
}

extension LibSQLJobStore {
  /// Runs a command and reads the job.
  fileprivate func get(_ id: JobID, after command: JobCommand) async throws -> (reply: JobReply, job: Job) {
    let reply = try await commit(command)
    return (reply, try #require(try await get(id)))
  }
}
