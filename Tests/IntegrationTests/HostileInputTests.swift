import Foundation
import JobBrokerClient
import JobModel
import JobProtocol
import Testing

/// What no client would send: each gets its documented answer, and a healthy client notices nothing.
@Suite struct HostileInputTests {
  private func withHealthyClient(_ body: (BrokerProcess, RawConnection) async throws -> Void) async throws {
    try await withBroker { broker in
      let healthy = try await broker.client(reconnects: false)
      try await body(broker, try RawConnection(to: broker.socket))
      let id = try await healthy.create(NewJob(type: "healthy")).job.id
      #expect(try await healthy.claim(ClaimRequest(types: ["healthy"])).map(\.id) == [id])
      _ = try await healthy.complete(id, attempt: 1)
    }
  }

  private func expectRefusalAndEnd(_ raw: RawConnection, _ code: JobError.Code) async throws {
    guard let response = try await raw.read(), case .error(let error) = response.reply else {
      Issue.record("no answer")
      return
    }
    #expect(error.code == code)
    #expect(try await raw.read() == nil, "the connection stayed open")
  }

  @Test func garbageIsRefusedAndTheConnectionEnds() async throws {
    try await withHealthyClient { _, raw in
      await raw.write([0, 0, 0, 8] + [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF])
      try await expectRefusalAndEnd(raw, .invalidArgument)
    }
  }

  @Test(arguments: [[0, 0, 0, 0], [0xFF, 0xFF, 0xFF, 0xFF], [0, 0x10, 0, 1]] as [[UInt8]])
  func aFrameOfAnImpossibleLengthIsRefusedAndTheConnectionEnds(prefix: [UInt8]) async throws {
    try await withHealthyClient { _, raw in
      try await raw.greet()
      await raw.write(prefix)
      try await expectRefusalAndEnd(raw, .invalidArgument)
    }
  }

  @Test func aTextProtocolIsRefused() async throws {
    try await withHealthyClient { _, raw in
      await raw.write(Array("GET / HTTP/1.1\r\n\r\n".utf8))
      try await expectRefusalAndEnd(raw, .invalidArgument)
    }
  }

  @Test func anotherVersionIsRefusedInWords() async throws {
    try await withHealthyClient { _, raw in
      try await raw.write(Request(id: 1, operation: .hello(Hello(protocolVersion: 99))))
      try await expectRefusalAndEnd(raw, .unsupported)
    }
  }

  @Test func anIdThatIsNotAnsweredYetIsRefusedAndTheFirstGoesOn() async throws {
    try await withHealthyClient { broker, raw in
      try await raw.greet()
      try await raw.write(
        Request(id: 7, operation: .claim(ClaimRequest(types: ["t"], wait: .seconds(600)))),
        Request(id: 7, operation: .ping))
      guard let refused = try await raw.read(), case .error(let error) = refused.reply else {
        Issue.record("no refusal")
        return
      }
      #expect(refused.id == 7)
      #expect(error.code == .invalidArgument)
      let job = try await broker.client().create(NewJob(type: "t")).job
      let first = try await raw.read()
      #expect(first?.id == 7)
      guard case .claimed(let jobs)? = first?.reply else {
        Issue.record("the first was not answered: \(String(describing: first))")
        return
      }
      #expect(jobs.map(\.id) == [job.id])
    }
  }

  @Test func aRequestBeforeHelloIsRefused() async throws {
    try await withHealthyClient { _, raw in
      try await raw.write(Request(id: 1, operation: .ping))
      try await expectRefusalAndEnd(raw, .invalidArgument)
    }
  }

  @Test func tenThousandRequestsInOneWriteAreAllAnswered() async throws {
    try await withHealthyClient { _, raw in
      try await raw.greet()
      let requests = (2...10_001).map { id in
        Request(id: UInt64(id), operation: id % 2 == 0 ? .ping : .create([NewJob(type: "flood")]))
      }
      let bytes = try RawConnection.frames(of: requests)
      async let written: Void = raw.write(bytes)
      var answered: Set<UInt64> = []
      while answered.count < requests.count, let response = try await raw.read() {
        answered.insert(response.id)
      }
      await written
      #expect(answered == Set(requests.map(\.id)))
    }
  }

  @Test func aClientThatNeverReadsIsNoLongerReadAndStopsNobody() async throws {
    try await withHealthyClient { broker, raw in
      try await raw.greet()
      let client = try await broker.client()
      let big = #"{"x":"\#(String(repeating: "x", count: 100_000))"}"#
      for _ in 1...10 { _ = try await client.create(NewJob(type: "big", metadata: big)) }
      let requests = (2...2000).map { Request(id: UInt64($0), operation: .list(JobFilter())) }
      let before = try await client.stats().residentBytes
      async let written: Void = raw.write(try RawConnection.frames(of: requests))
      for _ in 1...200 { try await client.ping() }
      let grown = try await client.stats().residentBytes - before
      #expect(grown < 300 << 20, "the broker grew by \(grown >> 20) MiB")
      raw.cut()
      try await written
      for job in try await client.list(JobFilter(type: "big")).jobs { _ = try await client.delete(job.id) }
    }
  }

  @Test func metadataThatIsNoObjectIsRefusedAndTheConnectionGoesOn() async throws {
    try await withHealthyClient { _, raw in
      try await raw.greet()
      for (id, metadata) in ["", "nonsense", "[1]", "3", #"{"a":}"#, "{a:1}"].enumerated() {
        let reply = try await raw.ask(UInt64(id + 2), .create([NewJob(type: "t", metadata: metadata)]))
        guard case .error(let error) = reply else {
          Issue.record("'\(metadata)' was taken: \(reply)")
          continue
        }
        #expect(error.code == .invalidArgument && error.message.contains("metadata"))
      }
    }
  }

  @Test(arguments: [[0], [0, 0, 0, 9], [0, 0, 0, 9, 8, 7, 0x22]] as [[UInt8]])
  func halfAFrameAndThenSilenceEndsTheConnectionAndNoOther(half: [UInt8]) async throws {
    try await withBroker(["--frame-timeout", "2"]) { broker in
      let idle = try RawConnection(to: broker.socket)
      try await idle.greet()
      let raw = try RawConnection(to: broker.socket)
      try await raw.greet()
      await raw.write(half)
      guard let response = try await raw.read(), case .error(let error) = response.reply else {
        Issue.record("no answer")
        return
      }
      #expect(response.id == 0 && error.code == .invalidArgument)
      #expect(error.message.contains("The rest of the frame did not arrive in 2.0 s"))
      #expect(try await raw.read() == nil, "the connection stayed open")
      // It has been silent for longer, but owes nothing.
      #expect(try await idle.ask(2, .ping) == .pong)
    }
  }

  @Test func aFrameThatArrivesWhileTheBrokerStandsStillIsNotLate() async throws {
    try await withBroker(["--frame-timeout", "10"]) { broker in
      let raw = try RawConnection(to: broker.socket)
      try await raw.greet()
      let metadata = #"{"x":"\#(String(repeating: "x", count: 60_000))"}"#
      let frame = try RawConnection.frames(of: [
        Request(id: 2, operation: .create([NewJob(type: "t", metadata: metadata)]))
      ])
      await raw.write(Array(frame.prefix(1_000)))
      // When the next is welcome, the broker has read what came before.
      try await RawConnection(to: broker.socket).greet()
      broker.process.suspend()
      await raw.write(Array(frame.dropFirst(1_000)))
      // Another broker tells that the time is up.
      try await withBroker(["--frame-timeout", "10"]) { other in
        let silent = try RawConnection(to: other.socket)
        while try await silent.readBody() != nil {}
      }
      broker.process.send(SIGCONT)
      guard case .created? = try await raw.read()?.reply else {
        Issue.record("not created")
        return
      }
    }
  }

  @Test func aFrameThatTheBrokerItselfDoesNotReadIsNotLate() async throws {
    try await withBroker(["--frame-timeout", "3"]) { broker in
      let metadata = #"{"x":"\#(String(repeating: "x", count: 350_000))"}"#
      _ = try await broker.client().create([
        NewJob(type: "t", metadata: metadata), NewJob(type: "t", metadata: metadata),
      ])
      let raw = try RawConnection(to: broker.socket)
      try await raw.greet()
      let frames = try RawConnection.frames(of: [
        Request(id: 2, operation: .list(JobFilter())), Request(id: 3, operation: .ping),
      ])
      // While the list is not read, the broker reads no further. Who comes later and is refused tells that the time is up.
      await raw.write(Array(frames.dropLast()))
      for _ in 1...2 {
        let later = try RawConnection(to: broker.socket)
        while try await later.readBody() != nil {}
      }
      await raw.write([frames[frames.count - 1]])
      guard case .jobs? = try await raw.read()?.reply else {
        Issue.record("no list")
        return
      }
      #expect(try await raw.read()?.reply == .pong)
    }
  }

  /// A connection with more answers than its socket holds, which it does not read, and then a frame of length 0. The
  /// broker reads the requests and that in one.
  private func spoiled(at broker: BrokerProcess) async throws -> (raw: RawConnection, answers: [UInt64]) {
    let raw = try RawConnection(to: broker.socket)
    try await raw.greet()
    let requests = try await raw.requestsWithLongAnswers()
    await raw.write(try RawConnection.frames(of: requests) + [0, 0, 0, 0])
    return (raw, requests.map(\.id))
  }

  @Test func aFirstRequestThatCannotBeReadIsTheLast() async throws {
    try await withBroker { broker in
      let raw = try RawConnection(to: broker.socket)
      try await raw.write(Request(id: 7, operation: .update(.timeOrdered(), attempt: 0, JobUpdate())))
      guard let response = try await raw.read(), case .error(let error) = response.reply else {
        Issue.record("no error")
        return
      }
      #expect(response.id == 7 && error.code == .invalidArgument)
      #expect(try await raw.read() == nil, "the connection stayed open")
    }
  }

  @Test func whoAsksForMuchAtOnceIsReadNoFurtherThanItsAnswersGo() async throws {
    try await withBroker(["--durability", "relaxed"]) { broker in
      let raw = try RawConnection(to: broker.socket)
      try await raw.greet()
      let client = try await broker.client()
      let name = String(repeating: "n", count: 200)
      for _ in 0..<20 {
        _ = try await client.create((0..<100).map { _ in NewJob(type: name) })
        _ = try await client.claim(ClaimRequest(types: [name], maxJobs: 100, lease: .seconds(3600)))
      }
      // All the answers together are more than the broker keeps for anybody.
      let ids = 10..<800 as Range<UInt64>
      await raw.write(try RawConnection.frames(of: ids.map { Request(id: $0, operation: .workers) }))
      try await client.ping()
      var size = 0
      for _ in ids { size += try #require(await raw.readBody()).count }
      #expect(size > 256 << 20)
    }
  }

  @Test func whoIsHungUpOnGetsWhatWasSentBeforeToItsEnd() async throws {
    try await withBroker { broker in
      let (raw, answers) = try await spoiled(at: broker)
      // The broker has heard of the frame when it serves the next connection.
      let later = try RawConnection(to: broker.socket)
      try await later.greet()
      for id in answers { #expect(try await raw.read()?.id == id) }
      guard let response = try await raw.read(), case .error(let error) = response.reply else {
        Issue.record("hung up without a word")
        return
      }
      #expect(response.id == 0 && error.code == .invalidArgument)
      #expect(try await raw.read() == nil, "the connection stayed open")
    }
  }

  @Test func whoIsHungUpOnAndDoesNotReadIsNotWaitedForForEver() async throws {
    try await withBroker(["--frame-timeout", "2"]) { broker in
      let (raw, _) = try await spoiled(at: broker)
      try await until({ raw.isHungUp }, { $0 })
    }
  }

  @Test func whoConnectsAndSaysNothingIsNotKept() async throws {
    try await withBroker(["--frame-timeout", "2"]) { broker in
      let raw = try RawConnection(to: broker.socket)
      guard let response = try await raw.read(), case .error(let error) = response.reply else {
        Issue.record("no answer")
        return
      }
      #expect(error.message.contains("The first request did not arrive"))
      #expect(try await raw.read() == nil, "the connection stayed open")
    }
  }
}
