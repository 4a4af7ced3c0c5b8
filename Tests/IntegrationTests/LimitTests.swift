import Foundation
import JobBrokerClient
import JobModel
import JobProtocol
import TestSupport
import Testing
import TrustSupport

/// Clients that take all they can get: the broker stays under its cap of memory and serves the others.
///
/// `JOBBROKER_LIMITS_SCALE` multiplies what `make test` does; 20 is the full size.
@Suite(.serialized, .timeLimit(.minutes(10))) struct LimitTests {
  private static let scale = CampaignSize.number("JOBBROKER_LIMITS_SCALE", short: 1)
  /// Resident memory that the broker may have in each of these; the README states it.
  private static let cap = 512 << 20
  private static let large = #"{"x":"\#(String(repeating: "x", count: 300_000))"}"#

  /// Runs one greedy load against a broker, and says what it cost while the connections it returns are still there.
  private func measure(
    _ done: String, _ arguments: [String] = [],
    _ load: (BrokerProcess, JobBrokerClient) async throws -> (String, [RawConnection])
  ) async throws {
    try await withBroker(arguments) { broker in
      let healthy = try await broker.client(reconnects: false)
      let (count, greedy) = try await load(broker, healthy)
      for _ in 0..<20 {
        let id = try await healthy.create(NewJob(type: "healthy")).job.id
        let held = try #require(try await healthy.claim(ClaimRequest(types: ["healthy"])).first)
        #expect(held.id == id)
        _ = try await healthy.complete(id, attempt: held.attempt)
      }
      let peak = try peakResidentBytes(of: broker.process.pid)
      let isOver = peak > Self.cap && !Sanitizers.areOn
      #expect(!isOver, "\(peak >> 20) MiB for \(done)")
      CampaignOutcome(
        promise: "memory under \(Self.cap >> 20) MiB, others are served", done: done,
        count: "\(count); at most \(peak >> 20) MiB resident", violations: isOver ? 1 : 0
      ).report()
      withExtendedLifetime(greedy) {}
    }
  }

  /// Connections that said hello, and then this.
  private func greeted(
    _ count: Int, by broker: BrokerProcess, sending bytes: [UInt8]
  ) async throws -> [RawConnection] {
    var connections: [RawConnection] = []
    for _ in 0..<count {
      let connection = try RawConnection(to: broker.socket)
      try await connection.greet()
      await connection.write(bytes)
      connections.append(connection)
    }
    return connections
  }

  /// Some of the connections, which have nothing else to read, are cut off, and told why.
  private func expectRefusals(among connections: [RawConnection], _ healthy: JobBrokerClient) async throws {
    try await until(healthy.stats) { $0.connections <= connections.count }
    let refused = connections.filter(\.hasInput)
    #expect(!refused.isEmpty)
    for connection in refused {
      guard case .error(let error)? = try await connection.read()?.reply else {
        Issue.record("cut off without a word")
        continue
      }
      #expect(error.code == .resourceExhausted)
    }
  }

  @Test func idleConnectionsCostLittle() async throws {
    try await measure("idle connections") { broker, healthy in
      let before = try await healthy.stats().residentBytes
      var idle: [RawConnection] = []
      for _ in 0..<500 * Self.scale {
        let connection = try RawConnection(to: broker.socket)
        try await connection.greet()
        idle.append(connection)
      }
      let stats = try await healthy.stats()
      #expect(stats.connections == idle.count + 1)
      #expect(try await idle[0].ask(2, .ping) == .pong)
      let each = (stats.residentBytes - before) / idle.count
      return ("\(idle.count) connections, \(each) bytes each", idle)
    }
  }

  @Test func pendingJobsAreOnTheDisk() async throws {
    try await measure("pending jobs") { broker, healthy in
      let before = try await healthy.stats().residentBytes
      let count = 5_000 * Self.scale
      for _ in 0..<count / 1_000 {
        _ = try await healthy.create((0..<1_000).map { _ in NewJob(type: "t", metadata: #"{"a":1}"#) })
      }
      let each = (try await healthy.stats().residentBytes - before) / count
      return ("\(count) jobs, \(each) bytes each", [])
    }
  }

  @Test func halfFramesHoldOnlySoMuchTogether() async throws {
    try await measure("frames of 1 MiB that lack their last byte", ["--frame-timeout", "600"]) {
      broker, healthy in
      let half = [0, 0x10, 0, 0] + [UInt8](repeating: 0x22, count: Limits.frame - 1)
      let count = max(200, 50 * Self.scale)
      let connections = try await greeted(count, by: broker, sending: half)
      try await expectRefusals(among: connections, healthy)
      // Whoever holds little is served.
      let small = try RawConnection(to: broker.socket)
      try await small.greet()
      await small.write([0, 0])
      await small.write([0, 4, 0x08, 0x07, 0x1A, 0])
      #expect(try await small.read()?.id == 7)
      return ("\(count) connections", connections)
    }
  }

  @Test func watchersThatNeverReadMissChangesAndNothingElse() async throws {
    try await measure("watchers that never read") { broker, healthy in
      var watchers: [RawConnection] = []
      for _ in 0..<100 {
        let watcher = try RawConnection(to: broker.socket)
        try await watcher.greet()
        try await watcher.write(Request(id: 2, operation: .watch(WatchSelection())))
        watchers.append(watcher)
      }
      try await until(healthy.stats) { $0.watches == watchers.count }
      let count = 100 * Self.scale
      for _ in 0..<count {
        let id = try await healthy.create(NewJob(type: "t")).job.id
        _ = try await healthy.complete(id, result: Self.large)
      }
      for _ in 0..<Self.scale { _ = try await healthy.create((0..<1_000).map { _ in NewJob(type: "t") }) }
      _ = try await healthy.cancel(try #require(healthy.list().jobs.first?.id))
      // Who begins to read is told that it missed something, and may begin again.
      var isTold = false
      while !isTold, let response = try await watchers[0].read() {
        if case .event(.resync) = response.reply { isTold = true }
      }
      #expect(isTold)
      let done =
        "\(watchers.count) watchers, \(count) results of 300 KB, \(Self.scale) creates of 1,000"
      return (done, watchers)
    }
  }

  @Test func requestsWithoutEndWaitInTheirSender() async throws {
    try await measure("one client that sends and never reads") { broker, healthy in
      let raw = try RawConnection(to: broker.socket)
      try await raw.greet()
      let count = 50_000 * Self.scale
      let requests = try RawConnection.frames(
        of: (2..<1_002).map { Request(id: $0, operation: .create([NewJob(type: "flood")])) })
      async let written: Void = {
        for _ in 0..<count / 1_000 { await raw.write(requests) }
      }()
      for _ in 0..<500 { try await healthy.ping() }
      raw.cut()
      await written
      return ("\(count) creates", [])
    }
  }

  @Test func repliesThatNobodyReadsAreBoundedForAllTogether() async throws {
    try await measure("replies of 600 KB that nobody reads") { broker, healthy in
      let job = NewJob(type: "large", metadata: Self.large)
      _ = try await healthy.create(job)
      _ = try await healthy.complete(job.id, result: Self.large)
      let requests = try RawConnection.frames(
        of: (2..<102).map { Request(id: $0, operation: .get(job.id)) })
      let count = 10 * max(1, Self.scale / 4)
      let connections = try await greeted(count, by: broker, sending: requests)
      // 100 replies for each would be far more than there is room for: some are cut off, the others wait.
      try await until(healthy.stats) { $0.connections <= connections.count }
      return ("100 replies for each of \(connections.count) connections", connections)
    }
  }

  @Test func jobsThatWereThereAreToldWithoutWhatIsLargeOfThem() async throws {
    try await measure("creates of 1,000 jobs with the unique key of a large one") { broker, healthy in
      let holder = NewJob(type: "large", metadata: Self.large, uniqueKey: "one")
      _ = try await healthy.create(holder)
      _ = try await healthy.update(holder.id, JobUpdate(result: Self.large))
      let others = (0..<1_000).map { _ in NewJob(type: "large", uniqueKey: "one") }
      let requests = try RawConnection.frames(of: (2..<7).map { Request(id: $0, operation: .create(others)) })
      let connections = try await greeted(2 * max(1, Self.scale / 4), by: broker, sending: requests)
      for connection in connections {
        for _ in 0..<5 {
          guard case .created(let entries)? = try await connection.read()?.reply else {
            Issue.record("not answered")
            continue
          }
          #expect(entries.allSatisfy { $0.job.id == holder.id && !$0.created })
        }
      }
      return ("5 for each of \(connections.count) connections", connections)
    }
  }

  /// Claims of 15 MB that wait, just under what one connection may have under way.
  private static func waitingClaims() throws -> [UInt8] {
    let names = (0..<1_000).map { String(repeating: "w", count: Limits.name - 6) + "\(100_000 + $0)" }
    return try RawConnection.frames(
      of: (2..<42).map {
        Request(id: $0, operation: .claim(ClaimRequest(types: names, wait: .seconds(600))))
      })
  }

  @Test func requestsThatWaitAreBoundedForAllTogether() async throws {
    try await measure("claims of 1,000 types that wait") { broker, healthy in
      let claims = try Self.waitingClaims()
      let count = 25 * max(1, Self.scale / 4)
      let connections = try await greeted(count, by: broker, sending: claims)
      try await expectRefusals(among: connections, healthy)
      return ("40 for each of \(count) connections", connections)
    }
  }

  @Test func whoGoesLeavesNothingBehind() async throws {
    try await measure("clients that go in the midst of their requests") { broker, healthy in
      let pings = (1_000..<2_000).map { Request(id: $0, operation: .ping) }
      let requests = try Self.waitingClaims() + RawConnection.frames(of: pings)
      let count = 30 * max(1, Self.scale / 4)
      for _ in 0..<count {
        let connection = try RawConnection(to: broker.socket)
        try await connection.greet()
        await connection.write(requests)
        connection.endWriting()
        while try await connection.read() != nil {}
      }
      // Were it counted on, whoever holds anything would be cut off.
      _ = try await healthy.create(NewJob(type: "large", metadata: Self.large))
      return ("\(count) clients", [])
    }
  }

  @Test func oneUserHasOnlySoManyConnectionsAndGetsThemBack() async throws {
    let allowed = 64
    try await measure(
      "one user that opens all it may", ["--max-connections-per-user", "\(allowed + 1)"]
    ) { broker, healthy in
      for _ in 0..<10 {
        var connections: [RawConnection] = []
        for _ in 0..<allowed {
          let connection = try RawConnection(to: broker.socket)
          try await connection.greet()
          connections.append(connection)
        }
        let refused = try RawConnection(to: broker.socket)
        guard case .error(let error)? = try await refused.read()?.reply else {
          Issue.record("one more was taken")
          return ("", [])
        }
        #expect(error.code == .resourceExhausted)
        connections = []
        try await until(healthy.stats) { $0.connections == 1 }
      }
      return ("10 times \(allowed)", [])
    }
  }

  /// The limit is lowered while the broker runs, so that it is met at accept(2) and not before.
  @Test func withoutDescriptorsConnectionsWaitAndAreTakenLater() async throws {
    try await measure("no descriptors left") { broker, healthy in
      let inUse = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(broker.process.pid)/fd").count
      let limited = try await Finished.running(
        ["/usr/bin/prlimit", "--pid", "\(broker.process.pid)", "--nofile=\(inUse + 4)"])
      try #require(limited.code == 0, "\(limited.errors)")
      var connections: [RawConnection] = []
      for _ in 0..<20 {
        let connection = try RawConnection(to: broker.socket)
        try await connection.write(Request(id: 1, operation: .hello(Hello(client: "raw"))))
        connections.append(connection)
      }
      try await until(healthy.stats) { $0.connections > 1 }
      let before = try await healthy.stats()
      for _ in 0..<2_000 { try await healthy.ping() }
      let after = try await healthy.stats()
      #expect(after.connections < connections.count, "they were all taken")
      // As they leave, the others get their turn.
      for connection in connections {
        guard case .welcome? = try await connection.read()?.reply else {
          Issue.record("not welcome")
          break
        }
        connection.cut()
      }
      let (cpu, time) = (after.cpu - before.cpu, after.uptime - before.uptime)
      let done =
        "\(connections.count) connections for 4 descriptors; busy \(Int(100 * (cpu / time))) % of the time"
      return (done, connections)
    }
  }

  @Test func countersAndWorkersThatExceedAFrameAreCutAndSaySo() async throws {
    try await withBroker { broker in
      let client = try await broker.client()
      // 5,000 types of 256 bytes are more than a frame.
      let types = (0..<5_000).map { number in
        String(repeating: "t", count: Limits.name - 6) + String(100_000 + number)
      }
      for start in stride(from: 0, to: types.count, by: 1_000) {
        _ = try await client.create(types[start..<start + 1_000].map { NewJob(type: $0) })
      }
      let stats = try await client.stats()
      #expect(stats.isTruncated)
      #expect(stats.types.count > 3_000 && stats.types.map(\.type) == Array(types.prefix(stats.types.count)))
      #expect(stats.pid == UInt32(broker.process.pid))

      #expect(try await client.workers().isTruncated == false)
      let raw = try RawConnection(to: broker.socket)
      try await raw.greet()
      for number in 0..<6 {
        let names = (0..<1_000).map { String(repeating: "w", count: Limits.name - 6) + "\(100_000 + $0)" }
        try await raw.write(
          Request(id: UInt64(number + 2), operation: .claim(ClaimRequest(types: names, wait: .seconds(60)))))
      }
      try await until(client.stats) { $0.waitingClaims == 6 }
      let list = try await client.workers()
      #expect(list.isTruncated)
      #expect(list.workers.count == 2)
      #expect(list.workers.last.map { $0.isWaiting && $0.waitingTypes.count > 3_000 } == true)
    }
  }
}

/// The most memory that a process ever had resident (VmHWM in proc_pid_status(5)).
private func peakResidentBytes(of pid: Int32) throws -> Int {
  let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
  let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") })
  let kilobytes = try #require(line.split(separator: " ").dropFirst().first.flatMap { Int($0) }, "\(line)")
  return kilobytes << 10
}

/// Whether this is a build with sanitizers, whose memory says nothing.
enum Sanitizers {
  static let areOn = ProcessInfo.processInfo.environment["JOBBROKER_SANITIZER"] != nil
}
