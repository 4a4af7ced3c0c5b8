import JobModel
import JobStore
import Testing
import TestSupport

@testable import SQLiteJobStore

@Suite struct DeletedJobsTests {
  @Test func `what is kept of deleted jobs is bounded, the oldest is forgotten first`() async throws {
    let directory = TemporaryDirectory()
    let store = try await SQLiteJobStore.open(path: directory.file("jobs.db"))
    let jobs = (1...3).map { _ in NewJob(type: "ingest") }
    func deleteClaimed(_ job: NewJob) async throws {
      try await store.create(job)
      #expect(try await store.claimNextPending()?.id == job.id)
      try await store.commit(.delete(job.id))
    }
    try await deleteClaimed(jobs[0])
    try await deleteClaimed(jobs[1])
    // As if a million less one more had been deleted since.
    try Connection(path: directory.file("jobs.db")).run(
      "INSERT INTO deleted_jobs (place, id, attempt) VALUES (1000000, x'00', 1)")
    try await deleteClaimed(jobs[2])
    let entries = try await store.commit(.create(jobs))
    guard case .created(let created) = entries else { return }
    #expect(created.map(\.job.attempt) == [0, 1, 1])
    await store.close()
  }
}
