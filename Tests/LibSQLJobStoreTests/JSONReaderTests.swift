import Foundation
import Testing

@testable import LibSQLJobStore

/// JSON as servers may write it, and what is none.
@Suite struct JSONReaderTests {
  private static let answer = """
    {"baton":null,"base_url":null,"results":[{"type":"ok","response":{"type":"store_sql"}},{"type":"ok","response":
    {"type":"batch","result":{"step_results":[{"cols":[{"name":"a","decltype":"TEXT"}],"rows":[[{"type":"text",
    "value":"\\u00e9\\ud83d\\ude00\\n\\"é"}],[{"base64":"AQI","type":"blob"}],[{"type":"float","value":1.5e3}],
    [{"type":"float","value":null}],[{"type":"integer","value":"-9223372036854775808"}],[{"type":"null"}]],
    "affected_row_count":0,"last_insert_rowid":null},null],"step_errors":[null,{"message":"no","code":"X"}]}}}]}
    """

  @Test func `an answer is read, whatever stands around what is wanted`() throws {
    let result = try #require(try HranaResponse(json: Array(Self.answer.utf8)).result)
    let rows = try #require(result.stepResults[0]?.rows)
    #expect(rows.map { $0.values.count } == Array(repeating: 1, count: 6))
    #expect(rows[0].text(0) == "é😀\n\"é")
    #expect(rows[1].values == [.blob([1, 2])])
    #expect(rows[2].real(0) == 1500)
    #expect(rows[3].real(0).isNaN)
    #expect(rows[4].integer(0) == .min)
    #expect(rows[5].isNull(0))
    #expect(result.stepResults[1] == nil)
    #expect(result.stepErrors == [nil, HranaError(message: "no", code: "X")])
  }

  @Test func `no beginning of an answer passes for one`() {
    let bytes = Array(Self.answer.utf8)
    for count in bytes.indices {
      #expect(throws: JSONReader.Malformed.self) { try HranaResponse(json: Array(bytes[..<count])) }
    }
  }

  @Test(arguments: [
    #"{"results":1}"#, #"{"results":[]} x"#, #"{"results":[],}"#, #"{results:[]}"#, #"{"a":nil}"#,
    #"{"a":"\x"}"#, #"{"a":"\u12"}"#, #"{"a":"\u+123"}"#, #"{"a":"\ud800"}"#, #"{"a":"\ud800\u0041"}"#,
    #"{"a":"\udc00"}"#,
    #"{"results":[{"response":{"result":{"step_results":[{"rows":[[{"type":"integer","value":"1.5"}]]}]}}}]}"#,
    #"{"results":[{"response":{"result":{"step_results":[{"rows":[[{"type":"date","value":"1"}]]}]}}}]}"#,
    #"{"results":[{"error":{"code":"X"}}]}"#,
    "{\"a\":" + String(repeating: "[", count: 100_000),
  ])
  func `what is no answer is refused`(_ text: String) {
    #expect(throws: JSONReader.Malformed.self) { try HranaResponse(json: Array(text.utf8)) }
  }

  @Test func `bytes that are no UTF-8 are refused`() {
    let bytes = Array(#"{""#.utf8) + [0xFF] + Array(#"":1}"#.utf8)
    #expect(throws: JSONReader.Malformed.self) { try HranaResponse(json: bytes) }
  }

  @Test func `any text survives being written and read, by others too`() throws {
    let texts = ["", "\u{0}\u{1F}\"\\/", "é😀\u{10FFFF}", String(repeating: "\t", count: 1000)]
    let json = JSONWriter.array(texts)
    #expect(try JSONDecoder().decode([String].self, from: Data(json.utf8)) == texts)
    let foreign = try JSONEncoder().encode(texts)
    for bytes in [Array(json.utf8), Array(foreign)] {
      var reader = try JSONReader(bytes)
      var read: [String] = []
      try reader.array { (json) throws(JSONReader.Malformed) in read.append(try json.string()) }
      try reader.end()
      #expect(read == texts)
    }
  }
}
