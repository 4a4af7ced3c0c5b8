import JobModel
import NIOCore
import Testing

@testable import JobBrokerClient

@Suite(.timeLimit(.minutes(10))) struct WatchTests {
  /// A client, and a watch of everything that has begun with the given jobs.
  private func watching(
    _ jobs: [Job]
  ) async throws -> (ScriptedBroker, ScriptedBroker.Connection, JobWatch, id: UInt64) {
    let (broker, connection, client) = try await connected()
    async let watch = client.watch()
    let (id, operation) = try await connection.next()
    #expect(operation == .watch(WatchSelection()))
    connection.reply(to: id, .snapshot(jobs, more: false, truncated: false))
    return (broker, connection, try await watch, id)
  }

  @Test func aSnapshotInSeveralFramesIsOneEventThenTheChangesFollow() async throws {
    let (_, connection, client) = try await connected()
    let jobs = (0..<3).map { _ in someJob() }
    async let opening = client.watch(WatchSelection(types: ["ingest"]))
    let (id, operation) = try await connection.next()
    #expect(operation == .watch(WatchSelection(types: ["ingest"])))
    connection.reply(to: id, .snapshot(Array(jobs[..<2]), more: true, truncated: false))
    connection.reply(to: id, .snapshot([jobs[2]], more: false, truncated: true))
    connection.reply(to: id, .event(.changed(jobs[1])))
    connection.reply(to: id, .event(.deleted(jobs[0].id)))
    var events = try await opening.makeAsyncIterator()
    #expect(try await events.next() == .snapshot(jobs, truncated: true))
    #expect(try await events.next() == .changed(jobs[1]))
    #expect(try await events.next() == .deleted(jobs[0].id))
  }

  @Test func aLostConnectionInterruptsAndTheWatchBeginsAnew() async throws {
    let job = someJob()
    let (broker, connection, watch, _) = try await watching([job])
    var events = watch.makeAsyncIterator()
    #expect(try await events.next() == .snapshot([job], truncated: false))
    try await connection.close()
    #expect(try await events.next() == .interrupted)
    let next = try await broker.welcome()
    let (id, operation) = try await next.next()
    #expect(operation == .watch(WatchSelection()))
    next.reply(to: id, .snapshot([], more: false, truncated: false))
    #expect(try await events.next() == .snapshot([], truncated: false))
  }

  @Test func aResyncInterruptsAndTheWatchBeginsAnew() async throws {
    let (_, connection, watch, old) = try await watching([])
    var events = watch.makeAsyncIterator()
    #expect(try await events.next() == .snapshot([], truncated: false))
    connection.reply(to: old, .event(.resync))
    #expect(try await events.next() == .interrupted)
    let unwatch = try await connection.next()
    #expect(unwatch.operation == .unwatch(id: old))
    let (id, operation) = try await connection.next()
    #expect(operation == .watch(WatchSelection()))
    // What is still on its way for the old watch is not mistaken for the new one's.
    connection.reply(to: old, .event(.changed(someJob())))
    connection.reply(to: unwatch.id, .done)
    connection.reply(to: id, .snapshot([], more: false, truncated: false))
    #expect(try await events.next() == .snapshot([], truncated: false))
  }

  @Test func aRefusedWatchThrows() async throws {
    let (_, connection, client) = try await connected()
    async let refusal = failure { () throws(JobError) in try await client.watch() }
    connection.reply(to: try await connection.next().id, .error(JobError(.resourceExhausted, "too many")))
    #expect(await refusal == JobError(.resourceExhausted, "too many"))
  }

  @Test func aRefusalOfAWatchWhoseCallerHasGoneHarmsNobody() async throws {
    let (_, connection, client) = try await connected()
    async let ping: Void = client.ping()
    let pingID = try await connection.next().id
    let watching = Task { await failure { () throws(JobError) in try await client.watch() } }
    let id = try await connection.next().id
    watching.cancel()
    #expect(await watching.value?.code == .unavailable)
    let unwatch = try await connection.next()
    #expect(unwatch.operation == .unwatch(id: id))
    connection.reply(to: unwatch.id, .done)
    connection.reply(to: id, .error(JobError(.resourceExhausted, "too many")))
    connection.reply(to: pingID, .pong)
    try await ping
  }

  @Test func anEventThatCannotBeReadEndsItsWatchAlone() async throws {
    let (_, connection, client) = try await connected()
    async let watch = client.watch()
    let id = try await connection.next().id
    connection.reply(to: id, .snapshot([], more: false, truncated: false))
    var events = try await watch.makeAsyncIterator()
    #expect(try await events.next() == .snapshot([], truncated: false))
    // Response { id, event { changed { id: 16 bytes, status: 99 } } }
    let job: [UInt8] = [0x0A, 16] + [UInt8](repeating: 1, count: 16) + [0x18, 99]
    let event: [UInt8] = [0x0A, UInt8(job.count)] + job
    let body: [UInt8] = [0x08, UInt8(id), 0x62, UInt8(event.count)] + event
    // The broker does not know yet that the watch has ended when it sends the second.
    for _ in 0..<2 { connection.send(ByteBuffer(bytes: [0, 0, 0, UInt8(body.count)] + body)) }
    await #expect(throws: JobError.self) { try await events.next() }
    let unwatch = try await connection.next()
    #expect(unwatch.operation == .unwatch(id: id))
    connection.reply(to: unwatch.id, .done)
    async let ping: Void = client.ping()
    connection.reply(to: try await connection.next().id, .pong)
    try await ping
  }

  @Test func aReaderThatIsCancelledEnds() async throws {
    let (_, _, watch, _) = try await watching([])
    let reader = Task {
      var count = 0
      for try await _ in watch { count += 1 }
      return count
    }
    reader.cancel()
    #expect(try await reader.value <= 1)
  }

  @Test func aWatchThatIsDroppedIsEnded() async throws {
    let (_, connection, client) = try await connected()
    func watchAndDrop() async throws -> UInt64 {
      async let watch = client.watch()
      let id = try await connection.next().id
      connection.reply(to: id, .snapshot([], more: false, truncated: false))
      _ = try await watch
      return id
    }
    let id = try await watchAndDrop()
    #expect(try await connection.next().operation == .unwatch(id: id))
  }

  @Test func aReaderThatFellBehindLearnsThatTheClientHasEnded() async throws {
    let (_, connection, client) = try await connected()
    async let opening = client.watch()
    let id = try await connection.next().id
    connection.reply(to: id, .snapshot([], more: false, truncated: false))
    let watch = try await opening
    for _ in 0..<Limits.snapshot { connection.reply(to: id, .event(.deleted(.timeOrdered()))) }
    #expect(try await connection.next().operation == .unwatch(id: id), "the reader has fallen behind")
    await client.close()
    var events = watch.makeAsyncIterator()
    #expect(try await events.next() == .interrupted)
    await #expect(throws: JobError.clientClosed) { try await events.next() }
  }

  @Test func aSlowReaderIsToldThatItMissedSomething() async {
    let buffer = WatchBuffer(capacity: 2)
    #expect(buffer.append(.deleted(.timeOrdered())))
    #expect(buffer.append(.deleted(.timeOrdered())))
    #expect(!buffer.append(.deleted(.timeOrdered())))
    guard case .overflowed = await buffer.read() else {
      Issue.record("not told")
      return
    }
    let event = WatchEvent.snapshot([], truncated: false)
    #expect(buffer.append(event))
    guard case .event(event) = await buffer.read() else {
      Issue.record("not resumed")
      return
    }
  }

  @Test func anInterruptionHasRoomInAFullBuffer() async {
    let buffer = WatchBuffer(capacity: 2)
    let event = WatchEvent.deleted(.timeOrdered())
    #expect(buffer.append(event))
    #expect(buffer.append(event))
    buffer.interrupt()
    for expected in [event, event, .interrupted] {
      guard case .event(expected) = await buffer.read() else {
        Issue.record("not \(expected)")
        return
      }
    }
    // What begins the watch anew finds an empty buffer.
    #expect(buffer.append(event))
    #expect(buffer.append(event))
  }
}
