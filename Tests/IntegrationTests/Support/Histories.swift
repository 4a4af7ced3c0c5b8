import Foundation
import HistorySupport
import JobBrokerClient
import JobModel
import TestSupport

/// The broker of a campaign of histories: killed and started again while it is used.
actor HistorySite {
  nonisolated let socket: String
  private var broker: BrokerProcess

  init(_ broker: BrokerProcess) {
    self.broker = broker
    socket = broker.socket
  }

  func kill() async throws { broker = try await broker.restartAfterKill() }

  func client() async throws -> JobBrokerClient { try await broker.client(name: "coordinator") }

  func end() async { await broker.process.stop() }
}

/// A process of the campaign.
struct HistoryDriverProcess: Sendable {
  let process: ChildProcess
  private let input: Pipe

  init(_ number: Int, socket: String) throws {
    input = Pipe()
    process = try ChildProcess(
      Products.directory.appendingPathComponent("HistoryDriver").path, [socket, "\(number)"],
      input: input.fileHandleForReading)
  }

  func say(_ line: String) { input.fileHandleForWriting.write(Data((line + "\n").utf8)) }

  func end() async {
    try? input.fileHandleForWriting.close()
    await process.waitForExit()
  }
}

/// One round: some new jobs, and every driver at work on them.
struct HistoryRound: Sendable {
  let number: Int
  let jobs: Int
  let operations: Int
  let seed: UInt64
  /// The drivers that are stopped while they hold a job.
  let stalling: [Int]
  /// After how many records of its first driver the broker is killed.
  let killsAfter: Int?

  var newJobs: [NewJob] { (0..<jobs).map { HistoryJob.new($0, round: number) } }

  /// What the drivers recorded, and what became of each job.
  func run(_ drivers: [HistoryDriverProcess], at site: HistorySite) async throws -> [RecordedOperation] {
    let client = try await site.client()
    var records = try await withThrowingTaskGroup(of: [RecordedOperation].self) { group in
      for (index, driver) in drivers.enumerated() {
        group.addTask { try await drive(driver, index, watching: client, at: site) }
      }
      return try await group.reduce([], +)
    }
    for id in newJobs.map(\.id) {
      var record = RecordedOperation(.get, job: "\(id)", client: drivers.count)
      let job = try await client.get(id)
      record.end = RecordedOperation.now
      record.reply =
        job.map { SeenReply(code: "OK", job: $0, result: $0.result) } ?? SeenReply(code: "NOT_FOUND")
      records.append(record)
    }
    await client.close()
    return records
  }

  private func drive(
    _ driver: HistoryDriverProcess, _ index: Int, watching client: JobBrokerClient, at site: HistorySite
  ) async throws -> [RecordedOperation] {
    let stall = stalling.contains(index) ? " stall" : ""
    driver.say("round \(number) \(jobs) \(operations) \(seed &+ UInt64(index) << 32)\(stall)")
    var records: [RecordedOperation] = []
    while true {
      let words = try await driver.process.line(beginning: "").split(separator: " ", maxSplits: 1)
      switch words.first {
      case "record":
        records.append(try JSONDecoder().decode(RecordedOperation.self, from: Data(words[1].utf8)))
        if index == 0, records.count - 1 == killsAfter { try await site.kill() }
      case "stalls":
        let claim = words[1].split(separator: " ")
        guard let id = JobID(claim[0]), let attempt = Int(claim[1]) else { break }
        driver.process.send(SIGSTOP)
        try await Self.end(of: ClaimToken(id: id, attempt: attempt), seenBy: client)
        driver.process.send(SIGCONT)
        driver.say("go")
      case "end": return records
      default: throw ChildProcess.Ended(description: "a driver said \(words)")
      }
    }
  }

  /// Waits until a claim is no longer in force.
  private static func end(of claim: ClaimToken, seenBy client: JobBrokerClient) async throws {
    func isInForce(_ job: Job) -> Bool { job.claim == claim && job.status == .processing }
    for try await event in try await client.watch(WatchSelection(ids: [claim.id])) {
      switch event {
      case .snapshot(let jobs, _) where !jobs.contains(where: isInForce): return
      case .changed(let job) where !isInForce(job): return
      case .deleted: return
      default: continue
      }
    }
  }
}
