import JobBrokerClient
import Testing

@testable import jobctl

@Suite struct JSONLineTests {
  private static let id = JobID("0193a5b2-7c1d-7000-8000-000000000001")

  @Test func metadataAndResultGoThroughUnchanged() throws {
    var job = Job(
      id: try #require(Self.id), type: "ingest", createdAt: Timestamp(milliseconds: 0),
      updatedAt: Timestamp(milliseconds: 1500))
    job.sequence = 9_007_199_254_740_993
    job.metadata = #"{"n":12345678901234567890123,"x":1.10,"s":"a\nb"}"#
    let text = JSONLine(job).text
    #expect(text.contains(#""metadata":{"n":12345678901234567890123,"x":1.10,"s":"a\nb"}"#))
    #expect(
      text.contains(#""created_at":"1970-01-01T00:00:00.000Z","updated_at":"1970-01-01T00:00:01.500Z""#))
    #expect(text.contains(#""sequence":9007199254740993"#))
    #expect(JSONText.isObject(text))
  }

  @Test func aPrettyPrintedObjectStaysOneLine() {
    var line = JSONLine()
    line.add("metadata", json: "{\n  \"a\": 1,\r\n  \"b\": 2\n}")
    #expect(!line.text.contains { $0.isNewline })
    #expect(JSONText.isObject(line.text))
  }

  @Test func absentFieldsAreLeftOut() {
    var line = JSONLine()
    line.add("stage", nil as String?)
    line.add("progress", 42.0)
    line.add("share", 0.5)
    line.add("odd", Double.nan)
    #expect(line.text == #"{"progress":42,"share":0.5}"#)
  }

  @Test(arguments: [true, false]) func countersSayWhenSomethingIsLeftOut(isTruncated: Bool) {
    var stats = BrokerStats()
    stats.isTruncated = isTruncated
    #expect(JSONLine(stats).text.hasSuffix(#""types":[],"truncated":\#(isTruncated)}"#))
  }

  @Test func whatCouldSteerATerminalIsEscapedAndMeansTheSame() {
    let text = "a\u{7F}b\u{9B}31mc\u{202E}d\u{2066}é\u{200D}"
    let escaped = #""a\u007fb\u009b31mc\u202ed\u2066é"# + "\u{200D}\""
    #expect(JSONLine.quoted(text) == escaped)
    var line = JSONLine()
    line.add("metadata", json: "{\"a\": \"\(text)\"}")
    #expect(line.text == "{\"metadata\":{\"a\": \(escaped)}}")
  }

  @Test func stringsAreEscaped() {
    #expect(JSONLine.quoted("a\"b\\c\n\u{1}é") == #""a\"b\\c\n\u0001é""#)
  }
}

@Suite struct JSONTextTests {
  @Test(arguments: [
    "{}", " { } ", #"{"a":[1,-0.5e+10,true,false,null,"x\u00e9\n"],"b":{"c":{}}}"#,
    #"{"n":123456789012345678901234567890}"#,
  ])
  func objects(text: String) {
    #expect(JSONText.isObject(text))
  }

  @Test(arguments: [
    "", "[]", "1", "{", "}", "{]", "{}{}", "{} x", "{a:1}", #"{"a"}"#, #"{"a":}"#, #"{"a":1,}"#, #"{"a":01}"#,
    #"{"a":1.}"#, #"{"a":+1}"#, #"{"a":"\x"}"#, #"{"a":"\u12g4"}"#, "{\"a\":\"\n\"}", #"{"a":tru}"#,
    #"{"a":"}"#,
    #"{"a":1e}"#, #"{"a":[1,]}"#, "{'a':1}",
  ])
  func otherTexts(text: String) {
    #expect(!JSONText.isObject(text))
  }

  @Test func anObjectMayBeAsDeepAsTheBrokerTakesAndNoDeeper() {
    func nested(_ depth: Int) -> String {
      String(repeating: #"{"a":"#, count: depth) + "1" + String(repeating: "}", count: depth)
    }
    #expect(JSONText.kind(of: nested(Limits.depth)) == .object)
    #expect(JSONText.kind(of: nested(Limits.depth + 1)) == .tooDeep)
  }

  @Test func depthIsBounded() {
    #expect(!JSONText.isObject(#"{"a":"# + String(repeating: "[", count: 1_000_000)))
  }
}
