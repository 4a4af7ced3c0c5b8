import JobModel
import JobStore
import TestSupport
import Testing

@testable import SQLiteJobStore

/// What a watch begins with.
@Suite struct SnapshotTests {
  @Test func `a snapshot with one job more than it tells needs no other`() {
    var snapshot = SnapshotCollector(limit: 2)
    for number in 1...4 {
      #expect(snapshot.hasRoom == (number <= 3))
      let now = Timestamp(milliseconds: 0)
      snapshot.add(
        Job(id: .timeOrdered(), type: "t\(number)", createdAt: now, updatedAt: now, sequence: Int64(number)))
    }
    guard case .snapshot(let jobs, let isTruncated) = snapshot.reply else {
      Issue.record("no snapshot")
      return
    }
    #expect(jobs.map(\.sequence) == [1, 2] && isTruncated)
  }

  @Test func `of more jobs than it tells those that are held are among them`() async throws {
    let directory = TemporaryDirectory()
    let store = try await SQLiteJobStore.open(path: directory.file("jobs.db"))
    let held = try await store.create(NewJob(type: "held"))
    #expect(try await store.claimNextPending()?.id == held.id)
    _ = try await store.commit(.create((0..<20).map { _ in NewJob(type: "ready") }))
    for selection in [WatchSelection(types: ["ready", "held"]), WatchSelection()] {
      guard
        case .snapshot(let jobs, truncated: true) = try await store.commit(.snapshot(selection, limit: 10))
      else {
        Issue.record("not more than it tells")
        return
      }
      #expect(jobs.count == 10 && jobs.first?.id == held.id)
    }
    await store.close()
  }
}
