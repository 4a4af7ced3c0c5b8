import Foundation
import HistorySupport
import JobBrokerClient
import JobModel
import Testing
import TrustSupport

/// Eight processes ask a broker for everything about the same jobs, while their connections are cut, the broker is
/// killed, and some of them are stopped for longer than their lease. The operations on one job are a history; each must
/// have an order in which the table of states explains all its answers (see `HistoryChecker`).
///
/// `JOBBROKER_HISTORIES` says how many, `JOBBROKER_HISTORY_STALLS` how many workers are stopped past their lease; the
/// operations follow from `JOBBROKER_HISTORY_SEED`, their order does not. What was recorded of each round is kept in the
/// folder `JOBBROKER_HISTORY_FOLDER`, if one is named.
@Suite(.timeLimit(.minutes(60))) struct HistoryTests {
  private static let clients = 8
  private static let jobsOfRound = 8
  private static let operationsOfClient = 8

  private static let environment = ProcessInfo.processInfo.environment

  @Test func everyHistoryOfAJobHasAnOrderThatExplainsIt() async throws {
    let histories = CampaignSize.number("JOBBROKER_HISTORIES", short: 240)
    let stalls = CampaignSize.number("JOBBROKER_HISTORY_STALLS", short: 24)
    let seed = CampaignSize.seed("JOBBROKER_HISTORY_SEED", short: 20_261_125)
    var random = SeededRandom(seed: seed)
    let site = HistorySite(try await BrokerProcess.start())
    let drivers = try (0..<Self.clients).map { try HistoryDriverProcess($0, socket: site.socket) }
    var findings = HistoryFindings()
    var round = 0
    do {
      while findings.lack(histories: histories, stalls: stalls) {
        round += 1
        try #require(round <= histories, "too few workers were stopped past their lease")
        let plan = HistoryRound(
          number: round, jobs: Self.jobsOfRound, operations: Self.operationsOfClient, seed: random.next(),
          stalling: [round % Self.clients],
          killsAfter: random.chance(20) ? random.below(Self.operationsOfClient) : nil)
        let records = try await plan.run(drivers, at: site)
        if let folder = Self.environment["JOBBROKER_HISTORY_FOLDER"] {
          let file = URL(fileURLWithPath: folder).appending(path: "round-\(round).json")
          try JSONEncoder().encode(records).write(to: file)
        }
        findings.judge(records, of: plan)
      }
    } catch {
      // One that is stopped does not hear that its input has ended.
      for driver in drivers { await driver.process.stop(SIGKILL) }
      await site.end()
      throw error
    }
    for driver in drivers { await driver.end() }
    await site.end()
    for text in findings.broken.prefix(5) { Issue.record("\(text)") }
    #expect(findings.refusedLate > 0, "no late completion was refused: nothing was put to the test")
    #expect(findings.acceptedLate.isEmpty, "\(findings.acceptedLate.first ?? "")")
    // The others have another explanation, such as an operation that was not answered.
    #expect(findings.noticed > findings.doctored / 2, "too few doctored histories were noticed")
    for line in findings.outcomes(seed: seed) { line.report() }
  }

  /// The checker takes at once what changes nothing; this cancel changes nothing now, and something later.
  @Test func aCancelMayFindTheJobCancelledOrRevived() {
    let job = HistoryJob.new(2, round: 1)
    func answered(
      _ kind: RecordedOperation.Kind, _ start: UInt64, _ end: UInt64, _ status: JobStatus
    ) -> RecordedOperation {
      var record = RecordedOperation(kind, job: "\(job.id)", client: 1, start: start)
      record.end = end
      var reply = SeenReply(code: "OK", created: kind == .create ? true : nil)
      (reply.status, reply.attempt, reply.retryCount) = (status.rawValue, 0, 0)
      record.reply = reply
      return record
    }
    let records = [
      answered(.create, 1, 2, .pending), answered(.cancel, 3, 4, .cancelled),
      answered(.retry, 5, 8, .pending), answered(.cancel, 6, 7, .cancelled),
      answered(.get, 9, 10, .cancelled),
    ]
    #expect(HistoryChecker(job, records).verdict() == .linearizable)
    let withoutTheSecond = records.filter { $0.start != 6 }
    #expect(HistoryChecker(job, withoutTheSecond).verdict() == .broken(explained: 3, of: 4))
  }
}

/// What came of all rounds.
private struct HistoryFindings {
  private(set) var histories = 0
  private(set) var stalls = 0
  private(set) var refusedLate = 0
  private(set) var broken: [String] = []
  private(set) var noticed = 0
  private(set) var doctored = 0
  private var operations = 0
  private var unanswered = 0
  private var kills = 0
  private(set) var acceptedLate: [String] = []

  func lack(histories: Int, stalls: Int) -> Bool { self.histories < histories || self.stalls < stalls }

  mutating func judge(_ records: [RecordedOperation], of round: HistoryRound) {
    operations += records.count
    unanswered += records.count { $0.reply == nil }
    if round.killsAfter != nil { kills += 1 }
    let records = RoundRecords(records)
    for job in round.newJobs {
      let history = records.history(of: job.id)
      histories += 1
      let verdict = records.verdict(on: job, history)
      if verdict != .linearizable { broken.append("\(verdict): \(job)\n\(HistoryFindings.text(history))") }
      judgeLate(history)
      judgeDoctored(history, of: job, records)
    }
  }

  /// Without the checker: no completion counts when it was asked for after somebody was seen to hold the next claim.
  private mutating func judgeLate(_ history: [RecordedOperation]) {
    for late in history where late.isLate {
      stalls += 1
      guard let reply = late.reply, let attempt = late.attempt else { continue }
      if reply.code != "OK" { refusedLate += 1 }
      let isSuperseded = history.contains { other in
        guard let end = other.end, end < late.start, let seen = other.reply?.attempt else { return false }
        return seen > attempt
      }
      if reply.code == "OK", isSuperseded { acceptedLate.append(HistoryFindings.text(history)) }
    }
  }

  /// The control: the same history, with one late completion accepted that was refused.
  private mutating func judgeDoctored(_ history: [RecordedOperation], of job: NewJob, _ records: RoundRecords)
  {
    guard
      let index = history.firstIndex(where: {
        $0.isLate && $0.reply?.code == JobError.Code.staleClaim.rawValue
      })
    else { return }
    var lie = history
    lie[index].reply?.code = "OK"
    lie[index].reply?.status = JobStatus.complete.rawValue
    lie[index].reply?.attempt = history[index].attempt
    doctored += 1
    if records.verdict(on: job, lie) != .linearizable { noticed += 1 }
  }

  func outcomes(seed: UInt64) -> [CampaignOutcome] {
    [
      CampaignOutcome(
        promise: "every job's history is one of the table of states",
        done: "8 processes, connections cut, \(kills) broker kills; checked for linearizability",
        count: "\(histories) histories, \(operations) operations (\(unanswered) unanswered)",
        violations: broken.count, seed: "\(seed)"),
      CampaignOutcome(
        promise: "a late completion never counts", done: "workers stopped (SIGSTOP) past their lease",
        count: "\(stalls) stalls, \(refusedLate) refused", violations: acceptedLate.count, seed: "\(seed)"),
      CampaignOutcome(
        promise: "(control) the checker notices an accepted late completion",
        done: "one reply of a history changed",
        count: "\(noticed) of \(doctored) noticed", violations: noticed > doctored / 2 ? 0 : 1,
        seed: "\(seed)"),
    ]
  }

  private static func text(_ history: [RecordedOperation]) -> String {
    history.sorted { $0.start < $1.start }.map { record in
      let reply = record.reply.map { "\($0)" } ?? "no answer"
      return
        "\(record.start)–\(record.end ?? 0) \(record.client) \(record.kind) \(record.attempt ?? 0): \(reply)"
    }.joined(separator: "\n")
  }
}
