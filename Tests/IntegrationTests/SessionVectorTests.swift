import JobProtocol
import Testing
import VectorSupport

/// The sessions of proto/vectors against the real broker. No client and no codec has a part in it.
@Suite(.serialized) struct SessionVectorTests {
  @Test(arguments: try Vectors.sessions())
  func theBrokerAnswersAsTheSessionSays(session: Vectors.Session) async throws {
    try await withBroker { broker in
      let mismatch = try await SessionRunner.mismatch(in: session, socket: broker.socket)
      #expect(mismatch == nil)
    }
  }

  /// Endings that the session "handshake", which ends with a pong, does not have.
  private static let wrongEndings = [
    #"{"expect": {"id": 3, "pong": {}}}"#,
    #"{"expect": {"id": 2, "done": {}}}"#,
    #"{"expect": {"id": 2, "pong": "$absent"}}"#,
    #"{"expect": {"id": 2, "error": {"code": "$any"}}}"#,
    #"{"close": true}"#,
  ]

  @Test(arguments: wrongEndings)
  func anAlteredExpectationIsNoticed(ending: String) async throws {
    var session = try #require(try Vectors.sessions().first { $0.name == "handshake" })
    session.steps[session.steps.count - 1] = try Vectors.Session.Step(json: ending)
    try await withBroker { broker in
      let mismatch = try await SessionRunner.mismatch(in: session, socket: broker.socket)
      #expect(mismatch?.hasPrefix("step \(session.steps.count): ") == true, "\(mismatch ?? "nothing")")
    }
  }

  @Test func aResponseThatDoesNotComeIsNoticed() async throws {
    var session = try #require(
      try Vectors.sessions().first { $0.name == "a version that the broker does not speak" })
    session.steps.append(try Vectors.Session.Step(json: #"{"expect": {}}"#))
    try await withBroker { broker in
      let mismatch = try await SessionRunner.mismatch(in: session, socket: broker.socket)
      #expect(mismatch == "step 4: the broker has closed the connection")
    }
  }
}
