import BrokerCore
import JobModel
import Testing

@testable import BrokerServer

/// Whose turn it is to read.
@Suite struct ReadQueueTests {
  private func read(_ query: Query, _ id: UInt64 = 1, of connection: UInt64 = 1) -> ReadQueue.Read {
    .init(query: query, key: RequestKey(connection: ConnectionID(connection), id: id))
  }

  @Test func quickReadsDoNotWaitForScans() {
    var queue = ReadQueue()
    for id in 0..<100 as Range<UInt64> { queue.append(read(.list(JobFilter()), id)) }
    var scans = 0
    while queue.next() != nil { scans += 1 }
    #expect(scans > 0 && scans < 100)
    queue.append(read(.stats, 200))
    let next = queue.next()
    #expect(next?.key.id == 200)
  }

  @Test func oneThatEndsMakesRoomForTheNextInOrder() {
    var queue = ReadQueue()
    for id in 0..<100 as Range<UInt64> { queue.append(read(.stats, id)) }
    var begun: [UInt64] = []
    while let next = queue.next() { begun.append(next.key.id) }
    #expect(begun.count < 100)
    while begun.count < 100 {
      queue.end(.stats)
      guard let next = queue.next() else { break }
      begun.append(next.key.id)
    }
    #expect(begun == Array(0..<100))
    #expect(!queue.isIdle)
  }

  @Test func theConnectionsTakeTurns() {
    var queue = ReadQueue()
    for id in 0..<100 as Range<UInt64> { queue.append(read(.list(JobFilter()), id, of: 1)) }
    while queue.next() != nil {}
    queue.append(read(.list(JobFilter()), 1, of: 2))
    queue.append(read(.list(JobFilter()), 2, of: 2))
    var turns: [ConnectionID] = []
    for _ in 0..<5 {
      queue.end(.list(JobFilter()))
      if let next = queue.next() { turns.append(next.key.connection) }
    }
    #expect(turns.map(\.number) == [1, 2, 1, 2, 1])
  }

  @Test func whoIsGoneReadsNothing() {
    var queue = ReadQueue()
    for connection in [1, 2, 1, 2] as [UInt64] { queue.append(read(.stats, of: connection)) }
    queue.removeWaiting(of: ConnectionID(1))
    var begun: [ConnectionID] = []
    while let next = queue.next() { begun.append(next.key.connection) }
    #expect(begun == [ConnectionID(2), ConnectionID(2)])
    for _ in begun { queue.end(.stats) }
    #expect(queue.isIdle)
  }
}
