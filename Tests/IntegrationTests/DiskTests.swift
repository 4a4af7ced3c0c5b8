import Foundation
import JobBrokerClient
import JobModel
import JobProtocol
import Testing
import TestSupport

/// What the broker does when its disk is full or broken.
@Suite(.timeLimit(.minutes(10))) struct DiskTests {
  private static let job = NewJob(type: "t")
  private static let large = #"{"x":"\#(String(repeating: "x", count: 100_000))"}"#

  @Test(.enabled(if: SmallDisk.isAvailable, "a tmpfs in a mount namespace needs root"))
  func aFullDiskRefusesNewJobsWhileThoseThereAreCanBeFinished() async throws {
    let directory = TemporaryDirectory()
    let disk = try SmallDisk(in: directory, megabytes: 48)
    let broker = try await BrokerProcess.start(
      in: directory, ["--db", disk.path + "/jobs.db"], through: disk.wrapper)
    let client = try await broker.client(reconnects: false)
    var ids: [JobID] = []
    let refusal = await expect(.resourceExhausted) {
      while ids.count < 1000 {
        ids.append(try await client.create(NewJob(type: "t", metadata: Self.large)).job.id)
      }
    }
    #expect(refusal?.message.contains("disk is full") == true)
    #expect(ids.count > 20)

    let held = try #require(try await client.claim().first)
    _ = try await client.update(held.id, JobUpdate(progress: 50), attempt: held.attempt)
    _ = try await client.complete(held.id, result: #"{"ok":true}"#, attempt: held.attempt)
    #expect(try await client.cancel(ids[1]).status == .cancelled)
    #expect(try await client.get(held.id)?.status == .complete)
    await expect(.resourceExhausted) { _ = try await client.create(NewJob(type: "t")) }
    #expect(try await client.stats().types.first?.counts[.pending] == ids.count - 2)

    try await disk.resize(megabytes: 96, of: broker.process)
    #expect(try await client.create(NewJob(type: "t")).created)
    #expect(await broker.process.stop() == 0)
  }

  @Test(.enabled(if: PreloadedLibrary.isAvailable, PreloadedLibrary.compiler))
  func aUsedUpQuotaIsAFullDisk() async throws {
    let directory = TemporaryDirectory()
    let disk = try await BrokenDisk(in: directory)
    let broker = try await BrokerProcess.start(in: directory, environment: disk.environment)
    let client = try await broker.client(reconnects: false)
    let ids = try await client.create((0..<100).map { _ in NewJob(type: "t") }).map(\.job.id)
    try disk.begin(.quota)
    let refusal = await expect(.resourceExhausted) {
      while true { _ = try await client.create(NewJob(type: "t", metadata: Self.large)) }
    }
    #expect(refusal?.message.contains("disk is full") == true)
    for id in ids { _ = try await client.complete(id) }
    try disk.end(.quota)
    #expect(try await client.create(NewJob(type: "t")).created)
    #expect(await broker.process.stop() == 0)
  }

  /// A quota is not to be seen beforehand, and what it leaves has to do for the log and for the database.
  @Test(.enabled(if: PreloadedLibrary.isAvailable, PreloadedLibrary.compiler))
  func whenAQuotaAndTheReserveAreUsedUpDeletingMakesRoomToFinish() async throws {
    let directory = TemporaryDirectory()
    let disk = try await BrokenDisk(in: directory)
    let broker = try await BrokerProcess.start(in: directory, environment: disk.environment)
    let client = try await broker.client(reconnects: false)
    let ids = try await client.create((0..<400).map { _ in NewJob(type: "t") }).map(\.job.id)
    try disk.begin(.quota)
    var finished = 0
    for _ in 0..<2 {
      let before = finished
      await expect(.unavailable) {
        while finished < ids.count {
          _ = try await client.complete(ids[finished], result: Self.large)
          finished += 1
        }
      }
      #expect(finished - before > 50, "\(finished) after \(before)")
      await expect(.resourceExhausted) { _ = try await client.create(NewJob(type: "t")) }
      for id in ids[before..<finished] { try await client.delete(id) }
    }
    _ = try await client.complete(ids[finished], result: Self.large)
    try disk.end(.quota)
    #expect(try await client.create(NewJob(type: "t")).created)
    #expect(await broker.process.stop() == 0)
  }

  /// Then neither the reserve nor what is deleted lets the database take what is in the log.
  @Test func whatADatabaseOfLimitedSizeCanNotTakeKeepsNewJobsOutUntilItCan() async throws {
    let limit = [
      "/usr/bin/prlimit", "--fsize=\(24 << 20):unlimited",
    ]
    let broker = try await BrokerProcess.start(through: limit)
    let client = try await broker.client(reconnects: false)
    var ids: [JobID] = []
    func create() async throws {
      ids.append(try await client.create(NewJob(type: "t", metadata: Self.large)).job.id)
    }
    await expect(.resourceExhausted) { while true { try await create() } }
    #expect(ids.count > 100, "\(ids.count)")
    for id in ids[..<10] {
      try await client.delete(id)
      await expect(.resourceExhausted) { try await create() }
      await expect(.unavailable) { _ = try await client.complete(ids[20]) }
    }
    let run = try await Finished.running(
      ["/usr/bin/prlimit", "--fsize=unlimited", "--pid", "\(broker.process.pid)"])
    #expect(run.code == 0)
    try await create()
    _ = try await client.complete(ids[20])
    #expect(await broker.process.stop() == 0)
    #expect(await broker.process.allErrors().components(separatedBy: "The disk is full").count == 2)
  }

  @Test(.enabled(if: PreloadedLibrary.isAvailable, PreloadedLibrary.compiler))
  func aBrokerStartsWhenAQuotaIsUsedUpInTheRoomThatWasInReserve() async throws {
    let directory = TemporaryDirectory()
    let disk = try await BrokenDisk(in: directory)
    let first = try await BrokerProcess.start(in: directory, environment: disk.environment)
    let job = try await first.client().create(NewJob(type: "t")).job
    #expect(await first.process.stop() == 0)
    try disk.begin(.quota)
    let second = try await BrokerProcess.start(in: directory, environment: disk.environment)
    let client = try await second.client(reconnects: false)
    _ = try await client.complete(job.id)
    await expect(.resourceExhausted) { _ = try await client.create(NewJob(type: "t")) }
    try disk.end(.quota)
    #expect(try await client.create(NewJob(type: "t")).created)
    #expect(await second.process.stop() == 0)
  }

  @Test(
    .enabled(if: PreloadedLibrary.isAvailable, PreloadedLibrary.compiler),
    arguments: [BrokenDisk.Fault.sync, .write])
  func aFailedCommitHasAnUnknownOutcomeAndEndsTheBroker(fault: BrokenDisk.Fault) async throws {
    let directory = TemporaryDirectory()
    let disk = try await BrokenDisk(in: directory)
    let broker = try await BrokerProcess.start(in: directory, environment: disk.environment)
    let raw = try RawConnection(to: broker.socket)
    try await raw.greet()
    let safe = NewJob(type: "t")
    guard case .created = try await raw.ask(2, .create([safe])) else {
      Issue.record("not created")
      return
    }
    try disk.begin(fault)
    let lost = NewJob(type: "t")
    guard case .error(let error) = try await raw.ask(3, .create([lost])) else {
      Issue.record("a job was acknowledged that is not on the disk")
      return
    }
    #expect(error.code == .unknownOutcome)
    #expect(try await raw.read() == nil, "the connection stayed open")
    #expect(await broker.process.waitForExit() == 1)
    #expect(await broker.process.allErrors().contains("critical"))

    // With a whole disk everything that was acknowledged is there, and a repeat settles what was not.
    let successor = try await BrokerProcess.start(in: directory)
    let client = try await successor.client()
    #expect(try await client.get(safe.id)?.status == .pending)
    _ = try await client.create(lost)
    #expect(try await client.list().jobs.map(\.id) == [lost.id, safe.id])
    #expect(await successor.process.stop() == 0)
  }

  @Test(.enabled(if: PreloadedLibrary.isAvailable, PreloadedLibrary.compiler))
  func whoWaitsWhenTheStoreFailsIsTurnedAwayInWords() async throws {
    let directory = TemporaryDirectory()
    let disk = try await BrokenDisk(in: directory)
    let broker = try await BrokerProcess.start(in: directory, environment: disk.environment)
    let waiting = try RawConnection(to: broker.socket)
    try await waiting.greet()
    try await waiting.write(
      Request(id: 2, operation: .claim(ClaimRequest(types: ["none"], wait: .seconds(60)))))
    let raw = try RawConnection(to: broker.socket)
    try await raw.greet()
    try disk.begin(.sync)
    guard case .error(let error) = try await raw.ask(2, .create([NewJob(type: "t")])) else {
      Issue.record("a job was acknowledged that is not on the disk")
      return
    }
    #expect(error.code == .unknownOutcome)
    guard let response = try await waiting.read(), case .error(let refusal) = response.reply else {
      Issue.record("the waiting claim got only the close")
      return
    }
    #expect(response.id == 2 && refusal.code == .unavailable)
    #expect(try await waiting.read() == nil, "the connection stayed open")
    #expect(await broker.process.waitForExit() == 1)
  }

  @Test(.enabled(if: PreloadedLibrary.isAvailable, PreloadedLibrary.compiler))
  func aSlowDiskHoldsUpOnlyThoseWhoWaitForIt() async throws {
    let directory = TemporaryDirectory()
    let disk = try await BrokenDisk(in: directory)
    let broker = try await BrokerProcess.start(in: directory, environment: disk.environment)
    let raw = try RawConnection(to: broker.socket)
    try await raw.greet()
    try disk.begin(.slow)
    _ = try await raw.ask(2, .create([NewJob(type: "t")]))

    try disk.begin(.hold)
    try await raw.write(Request(id: 3, operation: .create([NewJob(type: "t")])))
    try await until({ disk.isHolding }, { $0 })
    guard case .pong = try await raw.ask(4, .ping) else {
      Issue.record("the create was answered, or the ping was not")
      return
    }
    try disk.end(.hold)
    #expect(try await raw.read()?.id == 3)
    #expect(await broker.process.stop() == 0)
  }

  /// A disk that was quick so far is waited for where the sockets are served.
  @Test(.enabled(if: PreloadedLibrary.isAvailable, PreloadedLibrary.compiler))
  func whoSpokeInTimeKeepsItsJobThoughTheBrokerStoodStill() async throws {
    let directory = TemporaryDirectory()
    let disk = try await BrokenDisk(in: directory)
    let broker = try await BrokerProcess.start(in: directory, environment: disk.environment)
    let (writer, holder) = (try RawConnection(to: broker.socket), try RawConnection(to: broker.socket))
    try await writer.greet()
    try await holder.greet()
    let lease = ClaimRequest(types: ["t"], lease: .seconds(1))
    // A machine that is too busy to hold the disk in time tries again.
    for number in 1...20 as ClosedRange<UInt64> {
      _ = try await writer.ask(10 * number, .create([NewJob(type: "t")]))
      let claimed = ContinuousClock.now
      guard case .claimed(let jobs) = try await holder.ask(10 * number, .claim(lease)), let job = jobs.first
      else {
        Issue.record("not claimed")
        return
      }
      try disk.begin(.hold)
      try await writer.write(Request(id: 10 * number + 1, operation: .create([NewJob(type: "other")])))
      try await until({ disk.isHolding }, { $0 })
      let heartbeat = Request(
        id: 10 * number + 1, operation: .update(job.id, attempt: job.attempt, JobUpdate()))
      try await holder.write(heartbeat)
      let isInTime = ContinuousClock.now - claimed < .milliseconds(900)
      try await until({ ContinuousClock.now }, { $0 > claimed + .milliseconds(1_100) })
      try disk.end(.hold)
      let answer = try #require(try await holder.read())
      #expect(try await writer.read()?.id == 10 * number + 1)
      if isInTime {
        #expect(answer.id == heartbeat.id, "its job was taken: \(answer.reply)")
        #expect(await broker.process.stop() == 0)
        return
      }
      if answer.id == 0 { _ = try await holder.read() }
      _ = try await writer.ask(10 * number + 2, .cancel(job.id))
      try FileManager.default.removeItem(atPath: directory.file("held"))
    }
    Issue.record("the machine is too busy")
  }

  @Test(
    .enabled(if: PreloadedLibrary.isAvailable, PreloadedLibrary.compiler),
    arguments: [
      .watch(WatchSelection()), .watch(WatchSelection(types: ["t"])), .list(JobFilter()), .position(job.id),
      .get(job.id),
    ] as [JobModel.Operation])
  func whoReadsIsNotToldOfWhatIsNotDurable(operation: JobModel.Operation) async throws {
    let directory = TemporaryDirectory()
    let disk = try await BrokenDisk(in: directory)
    let broker = try await BrokerProcess.start(in: directory, environment: disk.environment)
    let (writer, reader) = (try RawConnection(to: broker.socket), try RawConnection(to: broker.socket))
    try await writer.greet()
    try await reader.greet()
    // A disk that was slow once is waited for on a thread of its own.
    try disk.begin(.slow)
    _ = try await writer.ask(2, .create([NewJob(type: "t")]))
    try disk.begin(.hold)
    try await writer.write(Request(id: 3, operation: .create([Self.job])))
    try await until({ disk.isHolding }, { $0 })
    try await reader.write(Request(id: 2, operation: operation))
    // What it answers at once it would have answered before this.
    for number in 3..<10 as Range<UInt64> {
      try await reader.write(Request(id: number, operation: .ping))
      #expect(try await reader.read()?.id == number)
    }
    try disk.end(.hold)
    #expect(try await reader.read()?.id == 2)
    #expect(try await writer.read()?.id == 3)
    #expect(await broker.process.stop() == 0)
  }

  @Test(.enabled(if: PreloadedLibrary.isAvailable, PreloadedLibrary.compiler))
  func whatAWatchMissedIsNotToldBeforeItIsDurable() async throws {
    let directory = TemporaryDirectory()
    let disk = try await BrokenDisk(in: directory)
    let broker = try await BrokerProcess.start(in: directory, environment: disk.environment)
    let (writer, watcher) = (try RawConnection(to: broker.socket), try RawConnection(to: broker.socket))
    try await writer.greet()
    try await watcher.greet()
    let flood = try await watcher.requestsWithLongAnswers()
    _ = try await watcher.ask(5, .watch(WatchSelection(types: ["t"])))
    // A disk that was slow once is waited for on a thread of its own.
    try disk.begin(.slow)
    _ = try await writer.ask(2, .create([NewJob(type: "other")]))
    // The event of the job finds the watcher's socket full.
    await watcher.write(try RawConnection.frames(of: flood))
    _ = try await writer.ask(3, .ping)
    try disk.begin(.hold)
    try await writer.write(Request(id: 4, operation: .create([NewJob(type: "t")])))
    try await until({ disk.isHolding }, { $0 })
    for request in flood { #expect(try await watcher.read()?.id == request.id) }
    // What it is told as soon as there is room it would be told before this.
    for number in 100..<107 as Range<UInt64> {
      try await watcher.write(Request(id: number, operation: .ping))
      #expect(try await watcher.read()?.id == number)
    }
    try disk.end(.hold)
    #expect(try await watcher.read()?.id == 5)
    #expect(try await writer.read()?.id == 4)
    #expect(await broker.process.stop() == 0)
  }

  @Test(.enabled(if: PreloadedLibrary.isAvailable, PreloadedLibrary.compiler))
  func noEventFollowsTheEndOfItsWatch() async throws {
    let directory = TemporaryDirectory()
    let disk = try await BrokenDisk(in: directory)
    let broker = try await BrokerProcess.start(in: directory, environment: disk.environment)
    let (writer, watcher) = (try RawConnection(to: broker.socket), try RawConnection(to: broker.socket))
    try await writer.greet()
    try await watcher.greet()
    // A disk that was slow once is waited for on a thread of its own.
    try disk.begin(.slow)
    _ = try await writer.ask(2, .create([NewJob(type: "t")]))
    _ = try await watcher.ask(2, .watch(WatchSelection()))
    try disk.begin(.hold)
    try await writer.write(Request(id: 3, operation: .create([NewJob(type: "t")])))
    try await until({ disk.isHolding }, { $0 })
    try await watcher.write(Request(id: 3, operation: .unwatch(id: 2)), Request(id: 4, operation: .ping))
    var ids: [UInt64] = []
    while ids.last != 4, let response = try await watcher.read() { ids.append(response.id) }
    try disk.end(.hold)
    while !ids.contains(3), let response = try await watcher.read() { ids.append(response.id) }
    #expect(ids == [4, 2, 3], "the event comes before the end of its watch")
    guard case .stats = try await watcher.ask(2, .stats) else {
      Issue.record("the id is not free")
      return
    }
    #expect(await broker.process.stop() == 0)
  }
}
