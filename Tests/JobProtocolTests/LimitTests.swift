import JobModel
import JobProtocol
import NIOCore
import Testing
import VectorSupport

@Suite("Limits")
struct LimitTests {
  private let codec = MessageCodec()
  private let id = JobID(high: 1, low: 2)

  private func refusal(_ operation: Operation) -> JobError? {
    #expect(throws: DecodingFailure.self) {
      try codec.request(codec.body(Request(id: 1, operation: operation)))
    }?.error
  }

  @Test("The largest payload is taken, one byte more is not")
  func payload() throws {
    let largest = String(repeating: "m", count: Limits.payload)
    for operation in [
      Operation.create([NewJob(type: "t", metadata: largest)]), .complete(id, attempt: 1, result: largest),
      .update(id, attempt: 1, JobUpdate(result: largest)),
    ] {
      #expect(try codec.request(codec.body(Request(id: 1, operation: operation))).operation == operation)
    }
    let tooLarge = largest + "m"
    let create = refusal(.create([NewJob(type: "t", metadata: tooLarge)]))
    #expect(
      create?.message == "create.jobs[0].metadata is 393217 bytes long; at most 393216 are allowed.")
    #expect(
      refusal(.complete(id, attempt: 1, result: tooLarge))?.message.hasPrefix("complete.result") == true)
    #expect(
      refusal(.update(id, attempt: 1, JobUpdate(result: tooLarge)))?.message.hasPrefix("update.result")
        == true)
  }

  @Test("A full batch is taken, one job more is not")
  func batch() throws {
    let jobs = (0..<Limits.createBatch).map { _ in NewJob(type: "ingest", metadata: #"{"a":1}"#) }
    #expect(
      try codec.request(codec.body(Request(id: 1, operation: .create(jobs)))).operation == .create(jobs))
    #expect(refusal(.create(jobs + [NewJob(type: "t")]))?.message.hasPrefix("create.jobs has 1001") == true)
  }

  @Test("A selection of too many types or ids is refused")
  func selection() {
    let types = (0...Limits.selection).map { "type-\($0)" }
    let ids = (0...Limits.selection).map { JobID(high: 0, low: UInt64($0)) }
    #expect(refusal(.claim(ClaimRequest(types: types)))?.message.hasPrefix("claim.types has 1001") == true)
    #expect(
      refusal(.watch(WatchSelection(types: Set(types.map { TypeName($0) }))))?.message.hasPrefix(
        "watch.types") == true)
    #expect(refusal(.watch(WatchSelection(ids: Set(ids))))?.message.hasPrefix("watch.ids") == true)
  }

  @Test("A request that unpacks to more than its memory is refused, and the codec goes on")
  func memory() throws {
    // Half a million empty types: two bytes each on the wire, a C string and a pointer each in memory.
    let body: [UInt8] =
      [0x08, 0x07, 0x72, 0x80, 0x80, 0x3C] + Array(repeating: [0x0A, 0x00], count: 491_520).joined()
    let failure = #expect(throws: DecodingFailure.self) { try codec.request(body) }
    #expect(failure?.id == 7)
    #expect(failure?.isFatal == false)
    #expect(failure?.error.code == .invalidArgument)
    #expect(failure?.error.message.contains("memory") == true)
    #expect(try codec.request([0x08, 0x07, 0x1A, 0x00]) == Request(id: 7, operation: .ping))
  }

  @Test("A response may hold as many jobs as fit into a frame")
  func fullFrame() throws {
    let job = Job(id: id, type: "t", createdAt: .now, updatedAt: .now)
    let jobs = Array(repeating: job, count: 12_000)
    let response = Response(id: 1, reply: .snapshot(jobs, more: false, truncated: false))
    let body = codec.body(response)
    #expect(body.count > Limits.frame / 2)
    #expect(try codec.response(body) == response)
  }

  @Test("A request that can't be a frame is not written")
  func unwritable() throws {
    var buffer = ByteBuffer()
    let nul = #expect(throws: JobError.self) {
      try codec.encode(Request(id: 1, operation: .pause(type: "a\0b")), into: &buffer)
    }
    #expect(nul?.code == .invalidArgument)
    let metadata = String(repeating: "m", count: Limits.payload)
    let large = #expect(throws: JobError.self) {
      let jobs = (0..<3).map { _ in NewJob(type: "t", metadata: metadata) }
      try codec.encode(Request(id: 1, operation: .create(jobs)), into: &buffer)
    }
    #expect(large?.code == .invalidArgument)
    #expect(buffer.readableBytes == 0)
    try codec.encode(Request(id: 1, operation: .ping), into: &buffer)
    #expect(buffer.readableBytes == 8)
  }

  @Test("A response beyond the frame limit becomes an INTERNAL error with its id")
  func oversizedResponse() throws {
    let text = String(repeating: "m", count: Limits.payload)
    let job = Job(id: id, type: "t", metadata: text, result: text, createdAt: .now, updatedAt: .now)
    let response = try codec.response(codec.body(Response(id: 9, reply: .claimed([job, job]))))
    #expect(response.id == 9)
    guard case .error(let error) = response.reply else {
      Issue.record("not an error: \(response.reply)")
      return
    }
    #expect(error.code == .internal)
  }

  @Test("A job with too much history is sent with the newest part of it")
  func longHistory() throws {
    let text = String(repeating: "m", count: Limits.payload)
    var job = Job(id: id, type: "t", metadata: text, result: text, createdAt: .now, updatedAt: .now)
    job.history = (1...100).map { attempt in
      AttemptRecord(
        attempt: attempt, worker: nil, startedAt: .now, endedAt: .now, cause: .failed,
        error: String(repeating: "e", count: Limits.error))
    }
    guard case .job(let sent) = try codec.response(codec.body(Response(id: 9, reply: .job(job)))).reply else {
      Issue.record("not a job")
      return
    }
    #expect(sent.history == job.history.suffix(sent.history.count))
    #expect(!sent.history.isEmpty)
    job.history.removeFirst(99 - sent.history.count)
    #expect(MessageCodec.encodedSize(of: job) > MessageCodec.jobsSize, "one more would not fit")
  }

  @Test("No job takes more than its estimated size", arguments: 0..<20 as Range<UInt64>)
  func estimate(seed: UInt64) {
    var arbitrary = Arbitrary(seed: seed)
    let none = codec.body(Response(id: .max, reply: .created([]))).count
    for _ in 0..<50 {
      let job = arbitrary.job()
      let entry = CreatedJob(job: job, created: true)
      let size = codec.body(Response(id: .max, reply: .created([entry]))).count - none
      #expect(size <= MessageCodec.encodedSize(of: job))
    }
  }

  @Test("A job whose every field is at its bound takes no more than its estimated size")
  func largestEstimate() {
    let worker = WorkerIdentity(name: String(repeating: "w", count: 256), pid: .max, uid: .max)
    let end = Timestamp(milliseconds: .max)
    let payload = String(repeating: "m", count: Limits.payload)
    let name = String(repeating: "n", count: Limits.name)
    let error = String(repeating: "e", count: Limits.error)
    let most = Int(UInt32.max)
    let job = Job(
      id: JobID(high: .max, low: .max), type: name, status: .cancelled, progress: 100, stage: name,
      metadata: payload, result: payload, error: error, retryCount: most, maxRetries: most, lostCount: most,
      maxLost: most, priority: .min, notBefore: end, uniqueKey: name, attempt: most, worker: worker,
      leaseExpiresAt: end, createdAt: end, updatedAt: end, startedAt: end, finishedAt: end,
      history: [
        AttemptRecord(
          attempt: most, worker: worker, startedAt: end, endedAt: end, cause: .cancelled, error: error)
      ],
      sequence: .max)
    let none = codec.body(Response(id: 1, reply: .claimed([]))).count
    let size = codec.body(Response(id: 1, reply: .claimed([job]))).count - none
    #expect(size > Limits.payload * 2)
    #expect(size <= MessageCodec.encodedSize(of: job))
    #expect(MessageCodec.encodedSize(of: job) <= MessageCodec.jobsSize)
  }
}
