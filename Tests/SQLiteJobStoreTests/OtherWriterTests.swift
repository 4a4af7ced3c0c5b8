import JobModel
import JobStore
import TestSupport
import Testing

@testable import SQLiteJobStore

/// Another process that writes to the same database.
@Suite(.timeLimit(.minutes(5))) struct OtherWriterTests {
  @Test func `holds up a transaction, which is told, and over when it goes on`() async throws {
    let directory = TemporaryDirectory()
    let store = try await SQLiteJobStore.open(path: directory.file("jobs.db"))
    #expect(!store.isHeldUp)
    let other = try Connection(path: directory.file("jobs.db"))
    try other.run("BEGIN IMMEDIATE")
    async let created = store.create(NewJob(type: "t"))
    while !store.isHeldUp {
      try Task.checkCancellation()
      await Task.yield()
    }
    try other.run("COMMIT")
    #expect(try await created.status == .pending)
    #expect(!store.isHeldUp)
    await store.close()
  }
}
