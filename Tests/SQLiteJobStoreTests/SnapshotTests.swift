import JobModel
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
}
