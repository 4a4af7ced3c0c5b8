import JobModel
import JobStore

extension ContractCheck {
  static let creating: [ContractCheck] = [
    ContractCheck("create: keeps every field") { store in
      let new = NewJob(
        type: "save", metadata: #"{"a":[1,2]}"#, priority: -7, maxRetries: 9, maxLost: 0,
        notBefore: store.clock.now + .seconds(60), uniqueKey: "track-1")
      try await store.store.create(new)
      let job = try await store.get(new.id)
      let wanted = Job(
        id: new.id, type: "save", metadata: #"{"a":[1,2]}"#, maxRetries: 9, maxLost: 0, priority: -7,
        notBefore: store.clock.now + .seconds(60), uniqueKey: "track-1", createdAt: store.clock.now,
        updatedAt: store.clock.now, sequence: job.sequence)
      try store.equal(job, wanted, "the job")
    },
    ContractCheck("create: the same job again is the same job") { store in
      let new = NewJob(type: "ingest", metadata: #"{"a":1}"#, notBefore: store.clock.now - .seconds(1))
      let first = try await store.store.commit(.create([new]))
      store.clock.advance(.seconds(5))
      let again = try await store.store.commit(.create([new]))
      guard case .created(let before) = first, case .created(let after) = again else {
        throw store.unexpected(again)
      }
      try store.equal(before.map(\.created), [true], "created at first")
      try store.equal(after.map(\.created), [false], "created again")
      try store.equal(after.map(\.job), before.map(\.job), "the job")
      _ = try await store.claimOne()
      guard case .created(let late) = try await store.store.commit(.create([new])) else {
        throw store.unexpected(again)
      }
      try store.equal(late.map(\.job.status), [.processing], "status after the claim")
    },
    ContractCheck("create: an id with other content is refused with the job") { store in
      let new = NewJob(type: "ingest", metadata: #"{"a":1}"#)
      try await store.store.create(new)
      var others = Array(repeating: new, count: 7)
      others[0].type = "save"
      others[1].metadata = #"{"a":2}"#
      others[2].priority = 1
      others[3].maxRetries = 2
      others[4].maxLost = 2
      others[5].notBefore = store.clock.now + .seconds(1)
      others[6].uniqueKey = "key"
      for other in others {
        let error = try await store.error(.alreadyExists) { try await store.store.create(other) }
        try store.equal(error.job?.id, new.id, "the job of the error")
        try store.equal(error.job?.metadata, nil, "its metadata")
      }
    },
    ContractCheck("create: a unique key in use returns the job that has it") { store in
      let first = try await store.create(uniqueKey: "track-1")
      let again = try await store.create(metadata: #"{"b":1}"#, uniqueKey: "track-1")
      try store.equal(again.id, first.id, "the job, pending")
      let held = try await store.claimOne()
      try store.equal(try await store.create(uniqueKey: "track-1").id, held.id, "the job, processing")
      try await store.store.complete(held.id)
      let next = try await store.create(uniqueKey: "track-1")
      try store.expect(next.id != first.id, "the key of a finished job is free")
    },
    ContractCheck("create: jobs that were there are told without what may be large of them") { store in
      let text = #"{"x":"\#(String(repeating: "x", count: Limits.payload - 100))"}"#
      let holder = try await store.create(metadata: text, uniqueKey: "one")
      _ = try await store.change(.update(holder.id, attempt: nil, JobUpdate(result: text)))
      let others = (0..<32).map { _ in NewJob(type: "ingest", uniqueKey: "one") }
      guard case .created(let entries) = try await store.store.commit(.create(others)) else {
        throw store.violation("not created")
      }
      try store.expect(entries.allSatisfy { $0.job.id == holder.id && !$0.created }, "the job that was there")
      try store.expect(entries.allSatisfy { $0.job.metadata == nil && $0.job.result == nil }, "its texts")
    },
    ContractCheck("create: the same jobs again, however large what came of them") { store in
      let result = #"{"x":"\#(String(repeating: "x", count: Limits.payload - 100))"}"#
      let jobs = (0..<32).map { _ in NewJob(type: "ingest") }
      _ = try await store.store.commit(.create(jobs))
      for job in jobs { try await store.store.complete(job.id, result: result) }
      guard case .created(let entries) = try await store.store.commit(.create(jobs)) else {
        throw store.violation("not created")
      }
      try store.equal(entries.map(\.job.id), jobs.map(\.id), "the jobs")
      try store.expect(entries.allSatisfy { !$0.created && $0.job.result == nil }, "without their results")
    },
    ContractCheck("create: a list is created in order, whole or not at all") { store in
      let jobs = (0..<5).map { NewJob(type: "ingest", metadata: #"{"n":\#($0)}"#) }
      guard case .created(let entries) = try await store.store.commit(.create(jobs)) else {
        throw store.violation("not created")
      }
      try store.equal(entries.map(\.job.id), jobs.map(\.id), "order of the reply")
      try store.equal(try await store.claim(maxJobs: 5).map(\.id), jobs.map(\.id), "order of claims")
      let batch = [NewJob(type: "preview"), NewJob(type: "preview", metadata: "[]")]
      try await store.error(.invalidArgument) { try await store.store.commit(.create(batch)) }
      try store.equal(try await store.store.get(batch[0].id), nil, "a job of the refused list")
      try store.equal(try await store.stats("preview"), nil, "its counters")
    },
    ContractCheck("create: a job twice in one list is one job") { store in
      let new = NewJob(type: "ingest")
      guard case .created(let entries) = try await store.store.commit(.create([new, new])) else {
        throw store.violation("not created")
      }
      try store.equal(entries.map(\.created), [true, false], "created")
    },
    ContractCheck("create: metadata must be a JSON object") { store in
      for text in ["", "null", "[]", "1", #""text""#, "{", "{}{}", "{a:1}", "{'a':1}"] {
        let error = try await store.error(.invalidArgument) { try await store.create(metadata: text) }
        try store.equal(error.message, "metadata must be a JSON object.", "message for \(text)")
      }
    },
    ContractCheck("create: JSON comes back as it went in") { store in
      let texts = [
        #"{"big":12345678901234567890123,"small":1.10,"e":1E400}"#,
        #"{"text":"žluťoučký 🎧 \u0000 \ud83c\udfa7","spaces":  [ 1 ]}"#, #"{"a":1,"a":2}"#,
        "{\"long\":\"" + String(repeating: "ž", count: 100_000) + "\"}",
      ]
      for text in texts {
        let job = try await store.create(metadata: text)
        try await store.store.complete(job.id, result: text)
        let found = try await store.get(job.id)
        try store.expect(found.metadata.map { Array($0.utf8) } == Array(text.utf8), "metadata is unchanged")
        try store.expect(found.result.map { Array($0.utf8) } == Array(text.utf8), "result is unchanged")
      }
    },
    ContractCheck("create: names may be any text") { store in
      let name = "žluť'\"; DROP TABLE jobs; -- 🎧"
      let job = try await store.create(name, uniqueKey: name)
      try await store.store.update(job.id, JobUpdate(stage: .set(name), error: name))
      let found = try await store.get(job.id)
      try store.equal(
        [found.type, found.uniqueKey, found.stage, found.error], Array(repeating: name, count: 4), "names")
      try store.equal(try await store.claim([name]).map(\.id), [job.id], "claim by type")
    },
    ContractCheck("create: racing creates of one job make one") { store in
      let new = NewJob(type: "ingest", uniqueKey: "one")
      let created = try await withThrowingTaskGroup(of: Int.self) { group in
        for number in 0..<20 {
          group.addTask {
            var mine = new
            if number % 2 == 1 { mine.id = .timeOrdered() }
            guard case .created(let entries) = try await store.store.commit(.create([mine])) else { return 0 }
            return entries.count { $0.created }
          }
        }
        return try await group.reduce(0, +)
      }
      try store.equal(created, 1, "jobs created")
    },
  ]
}
