import JobModel
import JobProtocol
import NIOCore
import Testing
import VectorSupport

@Suite("Round trips")
struct RoundTripTests {
  private let codec = MessageCodec()

  @Test("A request that was written reads as it was", arguments: 0..<40 as Range<UInt64>)
  func requests(seed: UInt64) throws {
    var arbitrary = Arbitrary(seed: seed)
    for _ in 0..<100 {
      let request = arbitrary.request()
      #expect(try codec.request(codec.body(request)) == request)
    }
  }

  @Test("A response that was written reads as it was", arguments: 0..<40 as Range<UInt64>)
  func responses(seed: UInt64) throws {
    var arbitrary = Arbitrary(seed: seed)
    for _ in 0..<100 {
      let response = arbitrary.response()
      #expect(try codec.response(codec.body(response)) == response)
    }
  }

  @Test("What is absent has the defaults of the model")
  func defaults() throws {
    func operation(_ json: JSON) throws -> Operation {
      try codec.request(WireJSON.request.bytes(json)).operation
    }
    let claim = try operation(.object(["id": .integer(1), "claim": .object([:])]))
    #expect(claim == .claim(ClaimRequest()))
    let list = try operation(.object(["id": .integer(1), "list": .object([:])]))
    #expect(list == .list(JobFilter()))

    let job: JSON = .object(["type": .string("ingest")])
    let create: JSON = .object(["id": .integer(1), "create": .object(["jobs": .array([job, job])])])
    guard case .create(let jobs) = try operation(create) else {
      Issue.record("not a create")
      return
    }
    #expect(
      jobs.map { NewJob(id: jobs[0].id, type: $0.type) }
        == jobs.map { one in
          var one = one
          one.id = jobs[0].id
          return one
        })
    #expect(jobs[0].id != jobs[1].id)
  }

  @Test("A wait, delay or age beyond the longest is cut to it")
  func longestWait() throws {
    let request = Request(id: 1, operation: .claim(ClaimRequest(wait: .seconds(Int64.max))))
    #expect(
      try codec.request(codec.body(request)).operation == .claim(ClaimRequest(wait: Limits.longestWait)))
  }

  @Test("An id's prefix is read in lower case")
  func prefix() throws {
    let request = Request(id: 1, operation: .list(JobFilter(idPrefix: "0193AFED")))
    #expect(try codec.request(codec.body(request)).operation == .list(JobFilter(idPrefix: "0193afed")))
  }

  @Test("Messages one after the other do not mix, whatever their size")
  func reuse() throws {
    let large = NewJob(type: "save", metadata: String(repeating: "m", count: Limits.payload))
    let small = Request(id: 2, operation: .update(large.id, attempt: nil, JobUpdate()))
    for _ in 0..<3 {
      let request = Request(id: 1, operation: .create([large]))
      #expect(try codec.request(codec.body(request)) == request)
      #expect(try codec.request(codec.body(small)) == small)
    }
  }

  @Test("Frames are appended to what the buffer holds")
  func append() throws {
    var buffer = ByteBuffer()
    try codec.encode(Request(id: 7, operation: .ping), into: &buffer)
    try codec.encode(Request(id: 8, operation: .ping), into: &buffer)
    #expect(Hex.text(buffer.readableBytesView) == "0000000408071a000000000408081a00")
  }
}
