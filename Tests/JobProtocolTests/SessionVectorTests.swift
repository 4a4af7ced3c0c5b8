import JobProtocol
import Testing
import VectorSupport

/// IntegrationTests runs the sessions against a broker; here only what they are made of is checked.
@Suite("Sessions of proto/vectors")
struct SessionVectorTests {
  @Test("Every step does one thing, with messages of the schema", arguments: try Vectors.sessions())
  func steps(session: Vectors.Session) throws {
    let codec = MessageCodec()
    for step in session.steps {
      let kinds = [
        step.send != nil, step.sendHex != nil, step.expect != nil, step.close != nil, step.disconnect != nil,
      ]
      #expect(kinds.count { $0 } == 1)
      if let hex = step.sendHex { #expect(Hex.bytes(hex)?.isEmpty == false) }
      if let message = step.send {
        let body = try WireJSON.request.bytes(SessionVectorTests.withExamples(message))
        if !SessionVectorTests.isToBeRefused(message, in: session) { _ = try codec.request(body) }
      }
    }
  }

  @Test("A pattern notices every kind of difference")
  func pattern() {
    var pattern = Pattern()
    let actual: JSON = .object([
      "id": .integer(3), "type": .string("ingest"), "jobs": .array([.integer(1)]), "progress": .real(40),
    ])
    #expect(pattern.mismatch(.object(["progress": .integer(40)]), actual) == nil)
    #expect(pattern.mismatch(.object(["id": .string("$id"), "type": .string("$any")]), actual) == nil)
    #expect(pattern.mismatch(.object(["type": .object(["$contains": .string("gest")])]), actual) == nil)
    #expect(pattern.mismatch(.object(["stage": .string("$absent")]), actual) == nil)
    #expect(pattern.filled(.array([.string("$id")])) == .array([.integer(3)]))

    #expect(pattern.mismatch(.object(["id": .integer(4)]), actual) == "id is 3, but should be 4")
    #expect(pattern.mismatch(.object(["stage": .string("$any")]), actual) != nil)
    #expect(pattern.mismatch(.object(["type": .string("$absent")]), actual) != nil)
    #expect(pattern.mismatch(.object(["type": .object(["$contains": .string("x")])]), actual) != nil)
    #expect(pattern.mismatch(.object(["jobs": .array([])]), actual) != nil)
    #expect(pattern.mismatch(.object(["jobs": .array([.integer(2)])]), actual) != nil)
    #expect(pattern.mismatch(.object(["id": .string("$id")]), .object(["id": .integer(9)])) != nil)
  }

  /// A request with values of the right kind in place of placeholders.
  private static func withExamples(_ json: JSON, for field: String = "") -> JSON {
    switch json {
    case .string(let name) where name.hasPrefix("$"):
      field == "cursor" ? .integer(1) : .string(String(repeating: "0", count: 32))
    case .array(let values): .array(values.map { withExamples($0, for: field) })
    case .object(let members):
      .object(Dictionary(uniqueKeysWithValues: members.map { ($0, withExamples($1, for: $0)) }))
    default: json
    }
  }

  /// Whether the session expects INVALID_ARGUMENT or UNSUPPORTED for a request.
  private static func isToBeRefused(_ message: JSON, in session: Vectors.Session) -> Bool {
    session.steps.contains { step in
      step.expect?["id"] == message["id"]
        && ["INVALID_ARGUMENT", "UNSUPPORTED"].contains(step.expect?["error"]?["code"]?.string)
    }
  }
}
