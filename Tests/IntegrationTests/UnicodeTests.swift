import JobBrokerClient
import JobModel
import Testing

/// Texts that look the same, and of which Swift says that they are, but that are not to SQL.
@Suite(.timeLimit(.minutes(10))) struct UnicodeTests {
  private static let (composed, decomposed) = ("caf\u{e9}", "cafe\u{301}")

  @Test func jobsOfTwoSpellingsOfATypeThatComeDueAtOnceCrashNothing() async throws {
    try await withBroker { broker in
      let client = try await broker.client()
      let due = Timestamp.now + .milliseconds(200)
      let types = [Self.composed, Self.decomposed]
      let ids = try await client.create(types.map { NewJob(type: $0, notBefore: due) }).map(\.job.id)
      for (type, id) in zip(types, ids) {
        let claim = ClaimRequest(types: [type], wait: .seconds(60))
        #expect(try await client.claim(claim).map(\.id) == [id])
      }
    }
  }

  @Test func aClaimWaitsForTheSpellingThatItNames() async throws {
    try await withBroker { broker in
      let client = try await broker.client()
      async let composed = client.claim(ClaimRequest(types: [Self.composed], wait: .seconds(60)))
      async let decomposed = client.claim(ClaimRequest(types: [Self.decomposed], wait: .seconds(60)))
      try await until(client.stats) { $0.waitingClaims == 2 }
      let second = try await client.create(NewJob(type: Self.decomposed)).job
      #expect(try await decomposed.map(\.id) == [second.id])
      try await client.pause(type: Self.decomposed)
      let first = try await client.create(NewJob(type: Self.composed)).job
      #expect(try await composed.map(\.id) == [first.id])
      let both = ClaimRequest(types: [Self.composed, Self.decomposed])
      let third = try await client.create(NewJob(type: Self.composed)).job
      #expect(try await client.claim(both).map(\.id) == [third.id])
      #expect(try await client.stats().types.map(\.isPaused).sorted { !$0 && $1 } == [false, true])
    }
  }

  @Test func anotherSpellingOfTheMetadataIsOtherContent() async throws {
    try await withBroker { broker in
      let client = try await broker.client()
      let job = NewJob(type: "t", metadata: #"{"a":"\#(Self.composed)"}"#)
      _ = try await client.create(job)
      var other = job
      other.metadata = #"{"a":"\#(Self.decomposed)"}"#
      let error = await #expect(throws: JobError.self) { _ = try await client.create(other) }
      #expect(error?.code == .alreadyExists)
    }
  }
}
