import JobModel
import JobStore

extension ContractCheck {
  static let listing: [ContractCheck] = [
    ContractCheck("list: newest first, page by page, each job once") { store in
      var ids: [JobID] = []
      for number in 0..<7 { ids.append(try await store.create(number % 2 == 0 ? "ingest" : "save").id) }
      for id in ids[2...4] { try await store.store.complete(id) }
      let wanted: [(JobFilter, [Int])] = [
        (JobFilter(limit: 2), [6, 5, 4, 3, 2, 1, 0]), (JobFilter(type: "ingest", limit: 2), [6, 4, 2, 0]),
        (JobFilter(status: .complete, limit: 1), [4, 3, 2]),
        (JobFilter(status: .complete, type: "ingest", limit: 1), [4, 2]), (JobFilter(status: .failed), []),
        (JobFilter(type: "none"), []),
      ]
      for (filter, numbers) in wanted {
        var filter = filter
        var found: [JobID] = []
        repeat {
          let page = try await store.store.list(filter)
          try store.expect(page.jobs.count <= filter.limit, "a page keeps to its limit")
          found += page.jobs.map(\.id)
          filter.cursor = page.nextCursor
        } while filter.cursor != nil
        try store.equal(found, numbers.map { ids[$0] }, "jobs of \(filter)")
      }
    },
    ContractCheck("list: jobs created between two pages do not disturb them") { store in
      var ids: [JobID] = []
      for _ in 0..<4 { ids.append(try await store.create().id) }
      let first = try await store.store.list(JobFilter(limit: 2))
      _ = try await store.create()
      let second = try await store.store.list(JobFilter(limit: 2, cursor: first.nextCursor))
      try store.equal((first.jobs + second.jobs).map(\.id), ids.reversed(), "both pages")
      try store.equal(second.nextCursor, nil, "the cursor of the last page")
    },
    ContractCheck("list: finds jobs by the beginning of their id") { store in
      let ids = [0x1234_5678, 0x1234_5679, 0x1239_0000, 0xFF34_5678].map { JobID(high: $0 << 32, low: 7) }
      for id in ids { try await store.store.create(NewJob(id: id, type: "ingest")) }
      func found(_ prefix: String, _ status: JobStatus? = nil, _ type: String? = nil) async throws -> [JobID]
      {
        try await store.store.list(JobFilter(status: status, type: type, idPrefix: prefix)).jobs.map(\.id)
      }
      try store.equal(try await found("123"), [ids[2], ids[1], ids[0]], "123")
      try store.equal(try await found("12345678"), [ids[0]], "12345678")
      try store.equal(try await found(ids[3].hexadecimal), [ids[3]], "a whole id")
      try store.equal(try await found("f"), [ids[3]], "f")
      try store.equal(try await found("0"), [], "0")
      try store.equal(try await found("xyz"), [], "no hexadecimal digits")
      try store.equal(try await found("123", .failed), [], "123, failed")
      try store.equal(try await found("123", .pending, "save"), [], "123, save")
    },
    ContractCheck("list: a page holds no more than a frame can") { store in
      let metadata = #"{"a":""# + String(repeating: "x", count: 300_000) + #""}"#
      for _ in 0..<3 { _ = try await store.create(metadata: metadata) }
      let page = try await store.store.list(JobFilter())
      try store.equal(page.jobs.count, 1, "jobs of the page")
      try store.expect(page.nextCursor != nil, "there is another page")
    },
    ContractCheck("list: errors count in a page, too") { store in
      let error = String(repeating: "x", count: Limits.error)
      let jobs = (0..<40).map { _ in NewJob(type: "ingest") }
      let failures = jobs.map { JobCommand.fail($0.id, attempt: nil, error: error, retryable: false) }
      _ = try await store.store.commit([.create(jobs)] + failures)
      var filter = JobFilter(status: .failed)
      var found: [JobID] = []
      repeat {
        let page = try await store.store.list(filter)
        try store.expect(page.jobs.count < 20, "\(page.jobs.count) jobs in a page")
        found += page.jobs.map(\.id)
        filter.cursor = page.nextCursor
      } while filter.cursor != nil
      try store.equal(found, jobs.map(\.id).reversed(), "jobs of all pages")
    },
    ContractCheck("get: of a very long history the latest attempts, as many as fill a frame") { store in
      let job = try await store.create()
      let reason = String(repeating: "x", count: Limits.error)
      let attempt: [JobCommand] = [
        .claim(types: [], maxJobs: 1, lease: .seconds(30), worker: ContractSubject.worker),
        .release(job.id, attempt: nil, delay: .zero, reason: reason),
      ]
      for _ in 0..<4 {
        for result in try await store.store.commit((0..<25).flatMap { _ in attempt }) { _ = try result.get() }
      }
      let history = try await store.get(job.id).history
      try store.expect((60...70).contains(history.count), "\(history.count) attempts")
      try store.equal(history.map(\.attempt), Array((101 - history.count)...100), "attempts")
      try store.expect(history.allSatisfy { $0.error == reason }, "their reasons")
    },
  ]

  static let queue: [ContractCheck] = [
    ContractCheck("position: counts who goes first, overall and within the type") { store in
      let low = try await store.create("a", priority: -1)
      let first = try await store.create("b")
      let second = try await store.create("a")
      let high = try await store.create("a", priority: 3)
      let delayed = try await store.create("b", after: .seconds(60))
      let wanted: [(Job, Int, Int)] = [
        (high, 0, 0), (first, 1, 0), (second, 2, 1), (delayed, 3, 1), (low, 4, 2),
      ]
      for (job, overall, inType) in wanted {
        let position = try await store.store.position(job.id)
        try store.equal(position, QueuePosition(overall: overall, inType: inType), "position")
      }
    },
    ContractCheck("position: agrees with a recount after many random changes") { store in
      var random = Xorshift(seed: 42)
      var known: [JobID] = []
      for _ in 0..<60 {
        var batch: [JobCommand] = []
        for _ in 0..<10 {
          switch random.next() % 8 {
          case 0...3:
            let new = NewJob(
              type: ["a", "b", "c"][Int(random.next() % 3)], priority: Int32(random.next() % 3))
            known.append(new.id)
            batch.append(.create([new]))
          case 4:
            batch.append(.claim(types: [], maxJobs: 2, lease: .seconds(30), worker: ContractSubject.worker))
          case let choice:
            guard !known.isEmpty else { continue }
            let id = known[Int(random.next() % UInt64(known.count))]
            switch choice {
            case 5: batch.append(.cancel(id))
            case 6: batch.append(.release(id, attempt: nil, delay: .zero, reason: nil))
            default: batch.append(random.next() % 4 == 0 ? .delete(id) : .retry(id))
            }
          }
        }
        _ = try await store.store.commit(batch)
      }
      let all = try await store.store.list(JobFilter(limit: 1000)).jobs
      let pending = all.filter { $0.status == .pending }.sorted {
        ($1.priority, $0.sequence) < ($0.priority, $1.sequence)
      }
      try store.expect(pending.count > 20, "there is something to count")
      var places: [String: Int] = [:]
      for (overall, job) in pending.enumerated() {
        let wanted = QueuePosition(overall: overall, inType: places[job.type, default: 0])
        places[job.type, default: 0] += 1
        try store.equal(try await store.store.position(job.id), wanted, "position of \(job.id)")
      }
      for job in all where job.status != .pending {
        try store.equal(
          try await store.store.position(job.id), .none, "position of a job that is not pending")
      }
      for stats in try await store.store.stats() {
        for status in JobStatus.allCases {
          let count = all.count { $0.type == stats.type && $0.status == status }
          try store.equal(stats.counts[status] ?? 0, count, "\(stats.type) \(status)")
        }
      }
    },
    ContractCheck("stats: types in alphabetical order") { store in
      for type in ["save", "ingest", "preview"] { _ = try await store.create(type) }
      _ = try await store.store.commit(.pause(type: "archive"))
      let stats = try await store.store.stats()
      try store.equal(stats.map(\.type), ["archive", "ingest", "preview", "save"], "types")
      try store.equal(stats.map(\.isPaused), [true, false, false, false], "paused")
    },
    ContractCheck("stats: types that differ only in how a letter is encoded are two") { store in
      for type in ["caf\u{e9}", "cafe\u{301}", "cafe\u{301}"] { _ = try await store.create(type) }
      let stats = try await store.store.stats()
      try store.equal(stats.map { $0.counts[.pending] ?? 0 }.sorted(), [1, 2], "pending")
    },
  ]

  static let watching: [ContractCheck] = [
    ContractCheck("snapshot: holds the unfinished jobs and those it names, in order of creation") { store in
      let done = try await store.create("a")
      try await store.store.complete(done.id)
      let held = try await store.held("b")
      let pending = try await store.create("a")
      let delayed = try await store.create("a", after: .seconds(9))
      func snapshot(_ ids: Set<JobID>, _ types: Set<TypeName>, limit: Int = 100) async throws -> (
        [JobID], Bool
      ) {
        let command = JobCommand.snapshot(WatchSelection(ids: ids, types: types), limit: limit)
        guard case .snapshot(let jobs, let truncated) = try await store.store.commit(command) else {
          throw store.violation("no snapshot")
        }
        try store.expect(jobs.allSatisfy { $0.metadata == nil }, "no metadata")
        return (jobs.map(\.id), truncated)
      }
      try store.expect(try await snapshot([], []) == ([held.id, pending.id, delayed.id], false), "all")
      try store.expect(try await snapshot([], ["a"]) == ([pending.id, delayed.id], false), "of a type")
      try store.expect(try await snapshot([done.id], []) == ([done.id], false), "a finished job by its id")
      try store.expect(
        try await snapshot([done.id, pending.id], ["b"]) == ([done.id, held.id, pending.id], false), "both")
      try store.equal(try await snapshot([], [], limit: 2).1, true, "truncated")
      try store.equal(try await snapshot([], [], limit: 2).0.count, 2, "as many as wanted")
    },
    ContractCheck("snapshot: leaves out what would be too much for memory, and says so") { store in
      let result = #"{"x":"\#(String(repeating: "x", count: 380_000))"}"#
      var ids: Set<JobID> = []
      for _ in 0..<40 {
        let job = try await store.create("a")
        try await store.store.complete(job.id, result: result)
        ids.insert(job.id)
      }
      let command = JobCommand.snapshot(WatchSelection(ids: ids), limit: 100)
      guard case .snapshot(let jobs, let truncated) = try await store.store.commit(command) else {
        throw store.violation("no snapshot")
      }
      try store.expect(truncated && jobs.count > 10 && jobs.count < 40, "\(jobs.count) jobs")
    },
    ContractCheck("snapshot: sees what came before it in the batch, and nothing after") { store in
      let (before, after) = (NewJob(type: "a"), NewJob(type: "a"))
      let results = try await store.store.commit([
        .create([before]), .snapshot(WatchSelection(), limit: 10), .create([after]),
      ])
      guard case .success(.snapshot(let jobs, _)) = results[1] else { throw store.violation("no snapshot") }
      try store.equal(jobs.map(\.id), [before.id], "jobs")
    },
  ]
}

/// A random sequence that is the same every time.
private struct Xorshift: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state >> 3
  }
}
