import AsyncHTTPClient
import Foundation
import NIOCore

extension SQLServer {
  /// What the server says to a statement that it does not run.
  public struct Refused: Error {
    /// Its whole answer.
    public let answer: String
  }

  /// Runs statements one by one, as another program might, and returns the server's last answer.
  @discardableResult
  public func run(_ statements: [String]) async throws -> String {
    var last = ""
    for sql in statements {
      let text = String(decoding: try JSONEncoder().encode(sql), as: UTF8.self)
      last = try await SQLServer.post(
        #"{"requests":[{"type":"execute","stmt":{"sql":\#(text)}},{"type":"close"}]}"#,
        to: url + "/v3/pipeline")
      if last.contains(#""type":"error""#) { throw Refused(answer: last) }
    }
    return last
  }

  /// Posts JSON, and returns what is answered with status 200.
  @discardableResult
  public static func post(_ json: String, to url: String) async throws -> String {
    var request = HTTPClientRequest(url: url)
    request.method = .POST
    request.headers.add(name: "content-type", value: "application/json")
    request.body = .bytes(ByteBuffer(string: json))
    let response = try await HTTPClient.shared.execute(request, timeout: .seconds(60))
    let answer = String(buffer: try await response.body.collect(upTo: 1 << 24))
    guard response.status == .ok else { throw Refused(answer: answer) }
    return answer
  }
}
