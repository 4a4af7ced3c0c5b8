import JobModel
import JobProtocol

/// Makes requests and responses at random, optional parts present and absent, numbers near their bounds.
struct Arbitrary {
  private var random: SeededGenerator

  init(seed: UInt64) { random = SeededGenerator(seed: seed) }

  private mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &random) }
  private mutating func flag() -> Bool { Bool.random(using: &random) }
  private mutating func maybe<Value>(_ make: (inout Arbitrary) -> Value) -> Value? {
    flag() ? make(&self) : nil
  }
  private mutating func list<Value>(_ most: Int, _ make: (inout Arbitrary) -> Value) -> [Value] {
    (0..<below(most + 1)).map { _ in make(&self) }
  }

  private mutating func number(_ range: ClosedRange<Int>) -> Int {
    switch below(4) {
    case 0: range.lowerBound
    case 1: range.upperBound
    default: Int.random(in: range, using: &random)
    }
  }

  private mutating func text(_ most: Int = 40) -> String {
    let alphabet: [Character] = [
      "a", "Z", " ", "\"", "\\", "\n", "\u{1}", "ä", "€", "🎧", "e\u{301}", "\u{10FFFF}",
    ]
    return String((0..<below(most + 1)).map { _ in alphabet[below(alphabet.count)] })
  }

  private mutating func name() -> String {
    ["ingest", "préview", String(repeating: "s", count: 256)][below(3)]
  }
  private mutating func id() -> JobID {
    JobID(high: UInt64.random(in: 0...UInt64.max, using: &random), low: flag() ? 0 : .max)
  }
  private mutating func time() -> Timestamp { Timestamp(milliseconds: Int64(number(0...Int.max))) }
  private mutating func status() -> JobStatus { JobStatus.allCases[below(JobStatus.allCases.count)] }
  private mutating func attempt() -> Int { number(1...Int(UInt32.max)) }
  private mutating func wait() -> Duration { .milliseconds(number(0...Int(Limits.longestWait.milliseconds))) }
  private mutating func worker() -> WorkerIdentity {
    WorkerIdentity(
      name: text(), pid: UInt32(number(0...Int(UInt32.max))), uid: UInt32(number(0...Int(UInt32.max))))
  }
}

extension Arbitrary {
  mutating func request() -> Request {
    Request(id: UInt64(number(1...Int.max)), operation: operation())
  }

  private mutating func operation() -> Operation {
    switch below(24) {
    case 0:
      .hello(
        Hello(
          protocolVersion: UInt32(number(0...Int(UInt32.max))), client: name(), workerName: name(),
          readOnly: flag()))
    case 1: .ping
    case 2: .create((0...below(20)).map { _ in newJob() })
    case 3: .get(id())
    case 4:
      .list(
        JobFilter(
          status: maybe { $0.status() }, type: maybe { $0.name() },
          idPrefix: maybe { $0.flag() ? "0" : "0193afed" },
          limit: number(1...Limits.page), cursor: maybe { Int64($0.number(0...Int.max)) }))
    case 5: .update(id(), attempt: maybe { $0.attempt() }, update())
    case 6: .complete(id(), attempt: maybe { $0.attempt() }, result: maybe { $0.text() })
    case 7: .fail(id(), attempt: maybe { $0.attempt() }, error: text(), retryable: flag())
    case 8: .release(id(), attempt: maybe { $0.attempt() }, delay: wait())
    case 9: .cancel(id())
    case 10: .retry(id())
    case 11: .delete(id())
    case 12:
      .claim(
        ClaimRequest(
          types: list(3) { $0.name() }, maxJobs: number(1...Limits.claimBatch), wait: wait(),
          lease: flag() ? Limits.lease.lowerBound : Limits.lease.upperBound))
    case 13: .reap(timeout: wait(), type: maybe { $0.name() })
    case 14: .position(id())
    case 15:
      .watch(WatchSelection(ids: Set(list(3) { $0.id() }), types: Set(list(3) { TypeName($0.name()) })))
    case 16: .unwatch(id: UInt64(number(0...Int.max)))
    case 17: .stats
    case 18: .workers
    case 19: .pause(type: name())
    case 20: .resume(type: name())
    case 21:
      .prune(
        olderThan: wait(), status: maybe { $0.flag() ? .complete : .cancelled }, type: maybe { $0.name() })
    case 22: .withdraw(id: UInt64(number(0...Int.max)))
    default: .backup(path: "/" + text())
    }
  }

  private mutating func newJob() -> NewJob {
    NewJob(
      id: id(), type: name(), metadata: text(300), priority: Int32(number(Int(Int32.min)...Int(Int32.max))),
      maxRetries: number(0...Limits.retries), maxLost: number(0...Limits.retries),
      notBefore: maybe { $0.time() },
      uniqueKey: maybe { $0.name() })
  }

  private mutating func update() -> JobUpdate {
    JobUpdate(
      status: maybe { $0.status() }, progress: maybe { Double($0.number(0...400)) / 4 },
      stage: [.keep, .clear, .set(""), .set(text())][below(4)], result: maybe { $0.text() },
      error: maybe { $0.text() }, retryCount: maybe { $0.number(0...Limits.retries) })
  }
}

extension Arbitrary {
  mutating func response() -> Response {
    Response(id: UInt64(number(0...Int.max)), reply: reply())
  }

  private mutating func reply() -> Reply {
    switch below(15) {
    case 0:
      .error(
        JobError(
          JobError.Code.allCases[below(JobError.Code.allCases.count)], text(), job: maybe { $0.job() }))
    case 1:
      .welcome(
        Welcome(
          protocolVersion: 1, server: text(), maxFrame: number(0...Int(UInt32.max)),
          maxInFlight: number(0...Int(UInt32.max)), features: list(3) { $0.text() }))
    case 2: .pong
    case 3: .created(list(5) { CreatedJob(job: $0.job(), created: $0.flag()) })
    case 4: .job(job())
    case 5: .jobs(JobPage(jobs: list(5) { $0.job() }, nextCursor: maybe { Int64($0.number(0...Int.max)) }))
    case 6: .claimed(list(5) { $0.job() })
    case 7: .count(number(0...Int.max))
    case 8: .position(QueuePosition(overall: number(-1...Int.max), inType: number(-1...Int.max)))
    case 9: .snapshot(list(5) { $0.job() }, more: flag(), truncated: flag())
    case 10: .event([.changed(job()), .deleted(id()), .resync][below(3)])
    case 11:
      .revoked(
        Revocation(
          claim: ClaimToken(id: id(), attempt: attempt()), status: maybe { $0.status() }, reason: text()))
    case 12: .stats(stats())
    case 13: .workers(WorkerList(workers: list(4) { $0.connectedWorker() }, isTruncated: flag()))
    default: .done
    }
  }

  mutating func job() -> Job {
    Job(
      id: id(), type: name(), status: status(), progress: Double(number(0...400)) / 4,
      stage: maybe { $0.text() },
      metadata: maybe { $0.text(300) }, result: maybe { $0.text(300) }, error: maybe { $0.text() },
      retryCount: number(0...Limits.retries), maxRetries: number(0...Limits.retries),
      lostCount: number(0...Limits.retries), maxLost: number(0...Limits.retries),
      priority: Int32(number(Int(Int32.min)...Int(Int32.max))), notBefore: maybe { $0.time() },
      uniqueKey: maybe { $0.text() }, attempt: number(0...Int(UInt32.max)), worker: maybe { $0.worker() },
      leaseExpiresAt: maybe { $0.time() }, createdAt: time(), updatedAt: time(),
      startedAt: maybe { $0.time() },
      finishedAt: maybe { $0.time() }, history: list(3) { $0.record() }, sequence: Int64(number(0...Int.max)))
  }

  private mutating func record() -> AttemptRecord {
    AttemptRecord(
      attempt: attempt(), worker: maybe { $0.worker() }, startedAt: time(), endedAt: time(),
      cause: AttemptCause.allCases[below(AttemptCause.allCases.count)], error: maybe { $0.text() })
  }

  private mutating func stats() -> BrokerStats {
    var stats = BrokerStats()
    stats.types = list(3) { arbitrary in
      TypeStats(
        type: arbitrary.name(),
        counts: Dictionary(
          uniqueKeysWithValues: JobStatus.allCases.map { ($0, arbitrary.number(0...Int.max)) }),
        isPaused: arbitrary.flag())
    }
    stats.isTruncated = flag()
    stats.connections = number(0...Int.max)
    stats.waitingClaims = number(0...Int.max)
    stats.watches = number(0...Int.max)
    stats.commits = number(0...Int.max)
    stats.commands = number(0...Int.max)
    stats.uptime = wait()
    stats.cpu = .microseconds(number(0...Int.max / 1000))
    stats.residentBytes = number(0...Int.max)
    stats.server = text()
    stats.store = text()
    stats.pid = UInt32(number(0...Int(UInt32.max)))
    return stats
  }

  private mutating func connectedWorker() -> ConnectedWorker {
    ConnectedWorker(
      identity: worker(), client: text(), connectedAt: time(), isWaiting: flag(),
      waitingTypes: list(3) { $0.name() },
      holds: list(3) { .init(claim: ClaimToken(id: $0.id(), attempt: $0.attempt()), type: $0.name()) })
  }
}
