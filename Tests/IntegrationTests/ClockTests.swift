import Foundation
import JobBrokerClient
import JobModel
import Testing
import TestSupport
import TrustSupport

/// The broker's wall clock jumps an hour or a day, either way, `JOBBROKER_CLOCK_JUMPS` times; by how much, follows from
/// `JOBBROKER_CLOCK_SEED`.
@Suite(
  .serialized, .enabled(if: FakeClock.isAvailable, "the clock is libfaketime's: scripts/setup.sh test"),
  .timeLimit(.minutes(30)))
struct ClockTests {
  @Test func noJumpOfTheWallClockReapsEarlyLosesALeaseOrChangesTheOrder() async throws {
    let jumps = CampaignSize.number("JOBBROKER_CLOCK_JUMPS", short: 12)
    let seed = CampaignSize.seed("JOBBROKER_CLOCK_SEED", short: 20_261_126)
    var random = SeededRandom(seed: seed)
    let clock = try FakeClock()
    var broker = try await BrokerProcess.start(environment: clock.environment, through: FakeClock.wrapper)
    let client = try await broker.client(name: "queue")
    // One holder is heard from after each jump, the other never.
    let (heard, silent) = (try await broker.client(name: "heard"), try await broker.client(name: "silent"))
    let held = try await [heard, silent].asyncMap { holder in
      _ = try await client.create(NewJob(type: "held"))
      return try #require(try await holder.claim(ClaimRequest(types: ["held"], lease: .seconds(3600))).first)
    }
    var queue: [JobID] = []
    var findings = ClockFindings()
    var offset: Int64 = 0
    for jump in 1...jumps where findings.broken.isEmpty {
      let step = random.pick([-86_400, -3_600, 3_600, 86_400] as [Int64])
      offset += step
      try clock.set(seconds: offset)

      let made = try await client.create(NewJob(type: "queue")).job
      let error = (made.createdAt - Timestamp.now) - .seconds(offset)
      findings.expect(abs(error.components.seconds) < 600, "the broker's clock did not jump: \(error)")
      queue.append(made.id)
      for (rank, id) in queue.enumerated() {
        let position = try await client.position(id)
        findings.expect(
          position.inType == rank, "after jump \(jump), job \(rank) of the queue is \(position)")
      }
      if jump.isMultiple(of: 3) {
        let first = try await client.claim(ClaimRequest(types: ["queue"])).first
        findings.expect(
          first?.id == queue.removeFirst(), "after jump \(jump) a claim took \(String(describing: first))")
        if let first { _ = try await client.complete(first.id, attempt: first.attempt) }
      }

      _ = try await heard.update(held[0].id, JobUpdate(progress: 1), attempt: held[0].attempt)
      let reaped = try await client.reap(timeout: .seconds(1_800))
      findings.expect(reaped == 0, "after jump \(jump) by \(step) s, \(reaped) live holders were reaped")
      for job in held {
        let now = try await client.get(job.id)
        findings.expect(
          now?.status == .processing && now?.attempt == 1, "a lease was lost: \(String(describing: now))")
      }
      findings.expect(
        await Self.aShortLeaseEnds(at: broker), "a jump by \(step) s kept a lease that ran out")
      if jump.isMultiple(of: 10) {
        broker = try await broker.restartAfterKill(environment: clock.environment, through: FakeClock.wrapper)
      }
    }
    for (job, holder) in zip(held, [heard, silent]) {
      let status = try? await holder.complete(job.id, attempt: job.attempt).status
      findings.expect(status == .complete, "a holder could not finish")
    }
    CampaignOutcome(
      promise: "clock jumps neither reap early nor lose a lease",
      done: "wall clock ±1 h and ±1 day (libfaketime), \(jumps / 10) kills; order, leases, reap",
      count: "\(jumps) jumps, \(findings.checks) checks", violations: findings.broken.count, seed: "\(seed)"
    ).report()
    #expect(findings.broken.isEmpty, "\(findings.broken.prefix(5).joined(separator: "\n"))")
    #expect(await broker.process.stop() == 0)
  }

  @Test func aSteadyClockThatJumpsTooIsNoticed() async throws {
    let clock = try FakeClock(sparesSteadyClock: false)
    let broker = try await BrokerProcess.start(environment: clock.environment, through: FakeClock.wrapper)
    let client = try await broker.client()
    let holder = try await broker.client(name: "holder")
    let id = try await client.create(NewJob(type: "held")).job.id
    _ = try await holder.claim(ClaimRequest(lease: .seconds(3600)))
    try clock.set(seconds: 86_400)
    try await until({ try await client.get(id)?.lostCount }, { $0 == 1 })
    let stolen = try await client.claim().first
    #expect(stolen?.id == id && stolen?.lostCount == 1, "the lease outlived a day")
    CampaignOutcome(
      promise: "(control) a lease is lost when the steady clock jumps", done: "both clocks +1 day",
      count: "1 jump", violations: stolen == nil ? 1 : 0
    ).report()
    await broker.process.stop(SIGKILL)
  }

  /// Whether a lease that does run out is noticed.
  private static func aShortLeaseEnds(at broker: BrokerProcess) async -> Bool {
    do {
      let client = try await broker.client(name: "short")
      _ = try await client.create(NewJob(type: "short"))
      let request = ClaimRequest(types: ["short"], wait: .seconds(20), lease: .milliseconds(10))
      guard let first = try await client.claim(request).first,
        let second = try await client.claim(request).first
      else { return false }
      _ = try await client.complete(second.id)
      await client.close()
      return second.id == first.id && second.attempt == 2 && second.lostCount == 1
    } catch {
      return false
    }
  }
}

private struct ClockFindings {
  private(set) var checks = 0
  private(set) var broken: [String] = []

  mutating func expect(_ holds: Bool, _ otherwise: @autoclosure () -> String) {
    checks += 1
    if !holds { broken.append(otherwise()) }
  }
}

extension Array {
  fileprivate func asyncMap<T>(_ transform: (Element) async throws -> T) async rethrows -> [T] {
    var results: [T] = []
    for element in self { results.append(try await transform(element)) }
    return results
  }
}

/// A wall clock of the broker's own, that a test sets.
private struct FakeClock {
  private let directory = TemporaryDirectory()
  let environment: [String: String]

  static var isAvailable: Bool { library != nil }

  /// The library adds a variable to the environment of the first process it is loaded into. Swift looks for its
  /// arguments from there and finds none, so that process must be another one.
  static let wrapper = ["/usr/bin/env"]

  private static let library: String? = {
    let roots = (try? FileManager.default.contentsOfDirectory(atPath: "/usr/lib")) ?? []
    return roots.map { "/usr/lib/\($0)/faketime/libfaketimeMT.so.1" }
      .first { FileManager.default.fileExists(atPath: $0) }
  }()

  /// - Parameter sparesSteadyClock: whether only the wall clock jumps, as it does on a real host.
  init(sparesSteadyClock: Bool = true) throws {
    environment = [
      "LD_PRELOAD": FakeClock.library ?? "", "FAKETIME_TIMESTAMP_FILE": directory.file("offset"),
      "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": sparesSteadyClock ? "1" : "0",
    ]
    try set(seconds: 0)
  }

  /// Sets it that far from the host's. The file is replaced in one piece, for the broker may read it at any moment.
  func set(seconds: Int64) throws {
    let text = seconds < 0 ? "\(seconds)\n" : "+\(seconds)\n"
    try Data(text.utf8).write(to: URL(fileURLWithPath: directory.file("offset")), options: .atomic)
  }
}
