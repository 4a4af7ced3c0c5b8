import Foundation
import JobBrokerClient
import JobModel
import JobProtocol
import Synchronization
import Testing
import TrustSupport
import VectorSupport

/// Damaged frames at a broker that works: `JOBBROKER_HOSTILE_FRAMES` of them, by `JOBBROKER_HOSTILE_SEED`.
@Suite(.serialized, .timeLimit(.minutes(30))) struct HostileFrameTests {
  /// Frames that one connection sends before the next begins, if the broker has not ended it.
  private static let burst = 20

  @Test func damagedFramesCrashNothingAndHoldNobodyUp() async throws {
    let full = 100_000
    let count = CampaignSize.number("JOBBROKER_HOSTILE_FRAMES", short: 2_000)
    let seed = CampaignSize.seed("JOBBROKER_HOSTILE_SEED", short: 20_261_125)
    try await withBroker { broker in
      let healthy = try await broker.client(reconnects: false)
      // A prune or a pause that a damaged frame turns into a sound one would be obeyed: this client's jobs are
      // finished at once, and nothing of it depends on types. A backup would write a file anywhere, so none is sent.
      let quiet = try await Self.latencies(of: healthy, until: { $0 >= max(300, count / 50) })
      let resident = try await healthy.stats().residentBytes
      async let sent = Self.attack(broker.socket, count, seed: seed)
      let progress = ProgressMark()
      async let attacked = Self.latencies(of: healthy, until: { $0 >= 100 && progress.isOver })
      let connections = try await sent
      progress.end()
      let busy = try await attacked
      let (before, during) = (Self.p99(quiet), Self.p99(busy))
      let grown = try await healthy.stats().residentBytes - resident
      let isGrown = grown > 128 << 20 && !Sanitizers.areOn
      #expect(!isGrown, "\(grown >> 20) MiB")
      let ratio = during / before
      // A short run on a machine that has other work measures that.
      let isSlow = count >= full && ratio > 2
      CampaignOutcome(
        promise: "bad bytes crash nothing and hold nobody up",
        done: "\(count) damaged frames at a live broker while a healthy client works",
        count: "\(connections) connections, \(grown >> 20) MiB grown, p99 \(Self.micros(before)) µs, "
          + "attacked \(Self.micros(during)) µs (\((ratio * 100).rounded() / 100) times)",
        violations: (isSlow ? 1 : 0) + (isGrown ? 1 : 0), seed: "\(seed)"
      ).report()
    }
  }

  private static func micros(_ duration: Duration) -> Int { Int(duration / .microseconds(1)) }

  private static func p99(_ times: [Duration]) -> Duration {
    let sorted = times.sorted()
    return sorted[min(sorted.count - 1, sorted.count * 99 / 100)]
  }

  /// Whole lifecycles, one after the other.
  private static func latencies(
    of client: JobBrokerClient, until isOver: (Int) -> Bool
  ) async throws -> [Duration] {
    var times: [Duration] = []
    while !isOver(times.count) {
      let start = ContinuousClock.now
      let id = try await client.create(NewJob(type: "healthy")).job.id
      _ = try await client.complete(id)
      times.append(ContinuousClock.now - start)
    }
    return times
  }

  /// Sends damaged frames of proto/vectors: over how many connections.
  private static func attack(_ socket: String, _ count: Int, seed: UInt64) async throws -> Int {
    var random = SeededRandom(seed: seed)
    let sources = try ["requests", "hostile"].flatMap { try Vectors.frames($0) }
      .filter { $0.direction == .request && $0.hex.count < 20_000 && !$0.name.contains("backup") }
      .compactMap { Hex.bytes($0.hex) }
    var (sent, connections) = (0, 0)
    while sent < count {
      let raw = try RawConnection(to: socket)
      try await raw.greet()
      for _ in 0..<min(burst, count - sent) {
        await raw.write(damaged(try #require(sources.randomElement(using: &random)), &random))
        sent += 1
      }
      // The broker answers what it can and comes to the end of the stream, or hangs up before.
      raw.endWriting()
      while try await raw.readBody() != nil {}
      connections += 1
    }
    return connections
  }

  /// A frame with some bytes changed, taken out or put in; its length is mostly made right again.
  private static func damaged(_ frame: [UInt8], _ random: inout SeededRandom) -> [UInt8] {
    var body = Array(frame.dropFirst(4))
    for _ in 0...Int.random(in: 0...3, using: &random) where !body.isEmpty {
      let place = Int.random(in: body.indices, using: &random)
      switch Int.random(in: 0..<4, using: &random) {
      case 0: body[place] = UInt8.random(in: 0...255, using: &random)
      case 1: body[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      case 2: body.remove(at: place)
      default: body.insert(UInt8.random(in: 0...255, using: &random), at: place)
      }
    }
    let isRight = Int.random(in: 0..<20, using: &random) > 0
    let length = isRight ? UInt32(body.count) : UInt32.random(in: 0...(.max), using: &random)
    return withUnsafeBytes(of: length.bigEndian, Array.init) + body
  }
}

/// Tells one task that another has ended.
private final class ProgressMark: Sendable {
  private let isSet = Atomic(false)

  var isOver: Bool { isSet.load(ordering: .relaxed) }
  func end() { isSet.store(true, ordering: .relaxed) }
}
