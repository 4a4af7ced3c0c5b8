@testable import BrokerCore
import JobModel
import Testing

@Suite("Watching")
struct WatchingTests {
  private var bench = CoreBench()
  private var watcher = ConnectionID(1)
  private var other = ConnectionID(2)

  init() {
    watcher = bench.connect(1)
    other = bench.connect(2)
  }

  private mutating func watch(
    _ selection: WatchSelection = WatchSelection(), on connection: ConnectionID? = nil, snapshot: Job...
  ) -> RequestKey {
    let key = bench.ask(.watch(selection), on: connection ?? watcher)
    bench.finish(.snapshot(snapshot, truncated: false))
    return key
  }

  private func events(of key: RequestKey) -> [JobEvent] {
    bench.replies(to: key).compactMap { if case .event(let event) = $0 { event } else { nil } }
  }

  private func changed(_ job: Job) -> JobEvent {
    var job = job
    job.metadata = nil
    return .changed(job)
  }

  @Test("begins with the state, in its place in the order of changes")
  mutating func snapshot() {
    let key = bench.ask(.watch(WatchSelection()), on: watcher)
    #expect(bench.commands == [.snapshot(WatchSelection(), limit: Limits.snapshot)])
    bench.ask(.cancel(.number(1)), on: other)
    bench.finish(.snapshot([.number(1)], truncated: true))
    bench.finish(.job(.number(1, status: .cancelled), changed: true))
    #expect(
      bench.replies(to: key) == [
        .snapshot([.number(1)], more: false, truncated: true),
        .event(changed(.number(1, status: .cancelled))),
      ])
  }

  @Test("shows a result when the store tells it, and not with a report, for the broker keeps none")
  mutating func results() {
    bench.hold(1, on: other)
    let key = watch()
    bench.ask(.update(.number(1), attempt: 1, JobUpdate(result: "{}")), on: other)
    var job = Job.number(1, attempt: 1, status: .processing)
    job.result = "{}"
    bench.finish(.job(job, changed: true))
    bench.ask(.update(.number(1), attempt: 1, JobUpdate(progress: 40)), on: other)
    let results = events(of: key).compactMap {
      if case .changed(let job) = $0 { job.result ?? "none" } else { nil }
    }
    #expect(results == ["{}", "none"])
  }

  @Test("takes a few snapshots at a time, and lets others in between")
  mutating func turns() {
    let keys = (0..<10).map { _ in bench.ask(.watch(WatchSelection()), on: watcher) }
    let atOnce = bench.commands.count
    #expect(atOnce > 0 && atOnce < keys.count)
    bench.ask(.cancel(.number(1)), on: other)
    for _ in 0..<atOnce { bench.finish(.snapshot([], truncated: false)) }
    #expect(bench.commands.first == .cancel(.number(1)))
    bench.finish(.job(.number(1, status: .cancelled), changed: true))
    while !bench.commands.isEmpty { bench.finish(.snapshot([], truncated: false)) }
    for key in keys { #expect(bench.replies(to: key).first == .snapshot([], more: false, truncated: false)) }
  }

  @Test("takes no snapshot while as many wait to be told")
  mutating func snapshotsInMemory() {
    bench.tellsSnapshots = false
    for _ in 0..<10 { bench.ask(.watch(WatchSelection()), on: watcher) }
    for _ in 0..<bench.commands.count { bench.finish(.snapshot([], truncated: false)) }
    #expect(bench.commands.isEmpty)
    bench.snapshotTold()
    #expect(bench.commands.count == 1)
    // One that the store could not take leaves its place at once.
    bench.finish(JobError(.unavailable, "busy"))
    #expect(bench.commands.count == 1)
  }

  @Test("forgets a snapshot that nobody waits for any more, and refuses those that wait when the broker ends")
  mutating func waitingEnds() {
    for _ in 0..<10 { bench.ask(.watch(WatchSelection()), on: watcher) }
    let kept = bench.ask(.watch(WatchSelection(types: ["kept"])), on: other)
    let atOnce = bench.commands.count
    bench.close(watcher)
    bench.finish(.snapshot([], truncated: false))
    #expect(bench.commands.count == atOnce)
    #expect(bench.commands.last == .snapshot(WatchSelection(types: ["kept"]), limit: Limits.snapshot))
    for _ in 0..<9 { bench.ask(.watch(WatchSelection()), on: other) }
    let last = bench.ask(.watch(WatchSelection()), on: other)
    bench.drain()
    #expect(bench.replies(to: last) == [.error(BrokerCore.draining)])
    #expect(bench.replies(to: kept) == [])
  }

  @Test("tells of no change that is in the snapshot already")
  mutating func noGapNoOverlap() {
    bench.ask(.cancel(.number(1)), on: other)
    let key = bench.ask(.watch(WatchSelection()), on: watcher)
    bench.finish(.job(.number(1, status: .cancelled), changed: true))
    bench.finish(.snapshot([.number(1, status: .cancelled)], truncated: false))
    #expect(events(of: key) == [])
  }

  @Test("tells of every kind of change, without metadata")
  mutating func changes() {
    let key = watch()
    bench.ask(.create([NewJob(type: "ingest")]), on: other)
    bench.finish(.created([CreatedJob(job: .number(1), created: true)]))
    bench.hold(1, on: other)
    #expect(bench.takeSent().isEmpty)
    bench.ask(.update(.number(1), attempt: 1, JobUpdate(progress: 50)), on: other)
    guard case .changed(let reported)? = events(of: key).first else {
      Issue.record("no event of the report")
      return
    }
    #expect(reported.progress == 50)
    bench.ask(.complete(.number(1), attempt: 1, result: nil), on: other)
    bench.finishEmpty()
    bench.finish(.job(.number(1, attempt: 1, status: .complete), changed: true))
    #expect(events(of: key).last == changed(.number(1, attempt: 1, status: .complete)))
    bench.ask(.delete(.number(1)), on: other)
    bench.finish(.deleted(.number(1)))
    #expect(events(of: key).last == .deleted(.number(1)))
    bench.ask(.reap(timeout: .seconds(1), type: nil), on: other)
    bench.finish(.reaped([.number(2, attempt: 1, status: .failed)]))
    #expect(events(of: key).last == changed(.number(2, attempt: 1, status: .failed)))
    bench.ask(.prune(olderThan: .zero, status: nil, type: nil), on: other)
    bench.finish(.pruned([.number(2), .number(3)]))
    #expect(events(of: key).suffix(2) == [.deleted(.number(2)), .deleted(.number(3))])
  }

  @Test("tells of the create and the claim of a job in that order")
  mutating func createThenClaim() {
    let key = watch()
    bench.ask(.create([NewJob(type: "ingest")]), on: other)
    bench.finish(.created([CreatedJob(job: .number(1), created: true)]))
    bench.ask(.claim(ClaimRequest()), on: other)
    bench.finish(.claimed([.number(1, attempt: 1)]))
    #expect(events(of: key) == [changed(.number(1)), changed(.number(1, attempt: 1))])
  }

  @Test("does not tell of what changed nothing")
  mutating func unchanged() {
    let key = watch()
    bench.ask(.create([NewJob(type: "ingest")]), on: other)
    bench.finish(.created([CreatedJob(job: .number(1), created: false)]))
    bench.ask(.cancel(.number(2)), on: other)
    bench.finish(.job(.number(2, status: .complete), changed: false))
    #expect(events(of: key) == [])
  }

  @Test("ends with a change that is as the store has it, whatever was reported while it was on its way")
  mutating func reportsAreNotTurnedBack() {
    bench.hold(1, on: other)
    let key = watch()
    let update = JobUpdate(progress: 10, retryCount: 1)
    bench.ask(.update(.number(1), attempt: 1, update), on: other)
    bench.ask(.update(.number(1), attempt: 1, JobUpdate(progress: 50)), on: other)
    bench.advance(by: .seconds(1))
    bench.finish(.job(.number(1, attempt: 1, progress: 10), changed: true))
    bench.finishEmpty()
    guard case .changed(let job)? = events(of: key).last else {
      Issue.record("no event")
      return
    }
    #expect(job.progress == 50)
  }

  @Test("ends with unwatch")
  mutating func unwatch() {
    let key = watch()
    let end = bench.ask(.unwatch(id: key.id), on: watcher)
    #expect(bench.replies(to: end) == [.done])
    bench.ask(.cancel(.number(1)), on: other)
    bench.finish(.job(.number(1, status: .cancelled), changed: true))
    #expect(events(of: key) == [])
    let again = bench.ask(.unwatch(id: key.id), on: watcher)
    #expect(bench.error(to: again) == .notFound)
  }

  @Test("ends with unwatch even before its snapshot was taken")
  mutating func unwatchEarly() {
    let key = bench.ask(.watch(WatchSelection()), on: watcher)
    let end = bench.ask(.unwatch(id: key.id), on: watcher)
    #expect(bench.replies(to: end) == [.done])
    bench.ask(.cancel(.number(1)), on: other)
    bench.finish(.snapshot([], truncated: false))
    bench.finish(.job(.number(1, status: .cancelled), changed: true))
    #expect(bench.replies(to: key) == [.snapshot([], more: false, truncated: false)])
  }

  @Test("is refused under an id that has a watch already, which goes on")
  mutating func sameID() {
    let key = watch(WatchSelection(types: ["ingest"]))
    bench.ask(.watch(WatchSelection(types: ["save"])), on: watcher, id: key.id)
    #expect(bench.commands.isEmpty)
    #expect(bench.error(to: key) == nil, "the snapshot came first")
    guard case .error(let error)? = bench.replies(to: key).last else {
      Issue.record("not refused")
      return
    }
    #expect(error.code == .invalidArgument)
  }

  @Test("is limited for each connection, those on their way counted")
  mutating func limit() {
    var configuration = CoreConfiguration()
    configuration.watchesPerConnection = 2
    bench = CoreBench(configuration)
    watcher = bench.connect(1)
    let keys = (0..<3).map { _ in bench.ask(.watch(WatchSelection()), on: watcher) }
    #expect(keys.map { bench.error(to: $0) } == [nil, nil, .resourceExhausted])
    #expect(bench.commands.count == 2)
  }

  @Test("that the store refused counts no more")
  mutating func refused() {
    var configuration = CoreConfiguration()
    configuration.watchesPerConnection = 1
    bench = CoreBench(configuration)
    watcher = bench.connect(1)
    let key = bench.ask(.watch(WatchSelection()), on: watcher)
    bench.finish(JobError(.unavailable, "busy"))
    #expect(bench.error(to: key) == .unavailable)
    let again = bench.ask(.watch(WatchSelection()), on: watcher)
    #expect(bench.error(to: again) == nil)
  }

  @Test("of a connection that has ended waits for no snapshot")
  mutating func ended() {
    for _ in 0..<2 * CoreConfiguration().snapshotsUnderWay {
      bench.ask(.watch(WatchSelection()), on: watcher)
    }
    #expect(!bench.core.waitingWatches.isEmpty)
    bench.close(watcher)
    #expect(bench.core.waitingWatches.isEmpty)
  }

  @Test("without room keeps the latest of each job, and tells it when there is room again")
  mutating func room() {
    let key = watch()
    bench.setRoom(false, of: watcher)
    for status in [JobStatus.pending, .cancelled] {
      bench.ask(.cancel(.number(1)), on: other)
      bench.finish(.job(.number(1, status: status), changed: true))
    }
    #expect(events(of: key) == [])
    bench.setRoom(true, of: watcher)
    #expect(events(of: key) == [changed(.number(1, status: .cancelled))])
  }

  @Test("that falls too far behind is told so")
  mutating func resync() {
    var configuration = CoreConfiguration()
    configuration.watchBacklog = 1
    bench = CoreBench(configuration)
    watcher = bench.connect(1)
    other = bench.connect(2)
    let key = watch()
    bench.setRoom(false, of: watcher)
    for number in 1...3 {
      bench.ask(.cancel(.number(UInt64(number))), on: other)
      bench.finish(.job(.number(UInt64(number), status: .cancelled), changed: true))
    }
    bench.setRoom(true, of: watcher)
    #expect(events(of: key) == [.resync])
  }

  @Test("whose events wait for the disk has only so many of them on their way, and the latest later")
  mutating func eventsUnderWay() {
    bench.writesEvents = false
    let key = watch()
    let limit = CoreConfiguration().eventsUnderWay
    let stage = String(repeating: "s", count: 200)
    for round in 0..<2_000 {
      bench.ask(.cancel(.number(1)), on: other)
      bench.finish(.job(.number(1, progress: Double(round % 100), stage: stage), changed: true))
    }
    let underWay = events(of: key).reduce(0) { $0 + $1.size }
    #expect(underWay >= limit && underWay < limit + 1_024, "\(underWay) bytes")
    _ = bench.takeSent()
    bench.eventsWritten(underWay, to: watcher)
    #expect(events(of: key) == [changed(.number(1, progress: 99, stage: stage))])
  }

  @Test(
    "together have only so many events on their way, and are told the latest when others are written",
    arguments: [false, true])
  mutating func totalEventsUnderWay(isGone: Bool) {
    var configuration = CoreConfiguration()
    configuration.totalEventsUnderWay = 5_000
    bench = CoreBench(configuration)
    bench.writesEvents = false
    watcher = bench.connect(1)
    other = bench.connect(2)
    let (first, second) = (watch(), watch(on: other))
    let asker = bench.connect(3)
    for round in 1...100 {
      bench.ask(.cancel(.number(1)), on: asker)
      bench.finish(.job(.number(1, progress: Double(round)), changed: true))
    }
    let sizes = [first, second].map { events(of: $0).reduce(0) { $0 + $1.size } }
    let underWay = sizes[0] + sizes[1]
    #expect(underWay >= 5_000 && underWay < 5_500, "\(underWay) bytes")
    #expect(abs(sizes[0] - sizes[1]) < 500)
    _ = bench.takeSent()
    if isGone { bench.close(watcher) } else { bench.eventsWritten(sizes[0], to: watcher) }
    #expect(events(of: first) == (isGone ? [] : [changed(.number(1, progress: 100))]))
    #expect(events(of: second) == [changed(.number(1, progress: 100))])
  }
}
