import JobModel
import Testing

@testable import BrokerCore

@Suite("Watches")
struct WatchTableTests {
  private var table = WatchTable(backlogLimit: 3, sizeLimit: 1 << 20)
  private let one = RequestKey(connection: ConnectionID(1), id: 1)
  private let two = RequestKey(connection: ConnectionID(2), id: 1)

  private mutating func follow(_ key: RequestKey, ids: Set<JobID> = [], types: Set<TypeName> = []) {
    let isNew = table.insert(key, WatchSelection(ids: ids, types: types))
    #expect(isNew)
    table.follow(key)
  }

  /// The watches that are told at once; connection 2 has no room.
  private mutating func told(_ job: Job) -> Set<RequestKey> {
    Set(table.publish(.changed(job), id: job.id, type: job.type) { $0 != two.connection })
  }

  private mutating func drained() -> [JobEvent] { table.drain(two.connection).map(\.1) }

  @Test("of everything are told of every job")
  mutating func everything() {
    follow(one)
    #expect(told(.number(1)) == [one])
  }

  @Test("of ids and types are told of those, and once of a job that is both")
  mutating func selected() {
    follow(one, ids: [.number(1)], types: ["save"])
    #expect(told(.number(1, type: "ingest")) == [one])
    #expect(told(.number(2, type: "save")) == [one])
    #expect(told(.number(2, type: "ingest")) == [])
    #expect(table.publish(.deleted(.number(1)), id: .number(1), type: "save") { _ in true } == [one])
  }

  @Test("are told of nothing before they follow, and of nothing after they end")
  mutating func beginningAndEnd() {
    let isNew = table.insert(one, WatchSelection(types: ["ingest"]))
    #expect(isNew)
    #expect(told(.number(1)) == [])
    table.follow(one)
    #expect(told(.number(1)) == [one])
    #expect(table.remove(one) == true)
    #expect(told(.number(1)) == [])
    #expect(table.remove(one) == false)
  }

  @Test("that were ended before they follow never do")
  mutating func endedEarly() {
    _ = table.insert(one, WatchSelection())
    table.remove(one)
    table.follow(one)
    #expect(told(.number(1)) == [])
    #expect(table.isEmpty)
  }

  @Test("are not replaced by another with the same id")
  mutating func sameKey() {
    follow(one, types: ["ingest"])
    #expect(table.insert(one, WatchSelection(types: ["save"])) == false)
    #expect(told(.number(1, type: "save")) == [])
    #expect(told(.number(1, type: "ingest")) == [one])
  }

  @Test("that lag behind learn of a result though a report came after it, and not of one of another attempt")
  mutating func resultBeforeReport() {
    follow(two)
    var job = Job.number(1, attempt: 1, status: .processing)
    job.result = "{}"
    _ = told(job)
    var reported = Job.number(1, attempt: 1, status: .processing)
    reported.progress = 40
    _ = told(reported)
    var shown = reported
    shown.result = "{}"
    #expect(drained() == [.changed(shown)])
    _ = told(job)
    let next = Job.number(1, attempt: 2, status: .processing)
    _ = told(next)
    #expect(drained() == [.changed(next)])
  }

  @Test("end with their connection")
  mutating func connectionEnds() {
    follow(one)
    follow(RequestKey(connection: one.connection, id: 2), types: ["ingest"])
    follow(RequestKey(connection: ConnectionID(3), id: 1))
    follow(RequestKey(connection: one.connection, id: 3), ids: [.number(1)])
    table.remove(RequestKey(connection: one.connection, id: 3))
    #expect(table.count(of: one.connection) == 2)
    table.removeAll(of: one.connection)
    #expect(table.count(of: one.connection) == 0)
    #expect(table.count == 1)
    #expect(told(.number(1)) == [RequestKey(connection: ConnectionID(3), id: 1)])
  }

  @Test("without room keep the latest change of each job, in the order of the first")
  mutating func backlog() {
    follow(two)
    #expect(told(.number(1, progress: 1)) == [])
    _ = told(.number(2))
    _ = told(.number(1, progress: 2))
    #expect(drained() == [.changed(.number(1, progress: 2)), .changed(.number(2))])
    #expect(drained() == [])
  }

  @Test("that fall behind by more jobs than are kept are told to watch again, and nothing else")
  mutating func resync() {
    follow(two)
    for number in 1...4 { _ = told(.number(UInt64(number))) }
    _ = told(.number(1, progress: 9))
    #expect(drained() == [.resync])
    _ = told(.number(1, progress: 10))
    #expect(drained() == [.changed(.number(1, progress: 10))])
  }

  @Test(
    "that together keep more bytes than they may give up what the latest kept, and are told to watch again")
  mutating func sizes() {
    table = WatchTable(backlogLimit: 100, sizeLimit: 10_000)
    let three = RequestKey(connection: ConnectionID(2), id: 3)
    follow(two)
    follow(three, types: ["save"])
    let stage = String(repeating: "s", count: 4_000)
    _ = told(.number(1, stage: stage))
    _ = told(.number(1, stage: stage))
    #expect(table.size < 5_000)
    _ = told(.number(2, stage: stage))
    _ = told(.number(3, stage: stage))
    #expect(table.size == 0)
    #expect(drained() == [.resync])
    _ = told(.number(4, type: "save"))
    table.remove(two)
    #expect(drained() == [.changed(.number(4, type: "save"))])
    #expect(table.size == 0)
  }

  @Test("of as many jobs as are kept lose none of them")
  mutating func fullBacklog() {
    follow(two)
    for round in 1...10 {
      for number in 1...3 { _ = told(.number(UInt64(number), progress: Double(round))) }
    }
    #expect(drained() == (1...3).map { .changed(.number($0, progress: 10)) })
  }
}
