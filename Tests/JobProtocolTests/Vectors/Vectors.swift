import Foundation

/// The files of proto/vectors.
enum Vectors {
  /// A message as bytes, and what it says or why it is refused.
  struct Frame: Decodable, Sendable, NamedVector {
    enum Direction: String, Decodable, Sendable { case request, response }

    struct Refusal: Decodable, Sendable {
      var code: String
      var contains: String
      var fatal: Bool
      var id: UInt64
    }

    var name: String
    var direction: Direction
    var hex: String
    var message: JSON?
    var error: Refusal?
  }

  /// Bytes as they arrive, and the frames in them.
  struct Stream: Decodable, Sendable, NamedVector {
    var name: String
    var stream: String
    var bodies: [String]
    var refused: Bool
    var partial: Bool
  }

  /// What a client sends and what the broker answers.
  struct Session: Decodable, Sendable, NamedVector {
    /// One of `send`, `sendHex`, `expect`, `close` and `disconnect`.
    struct Step: Decodable, Sendable {
      var on: String?
      var send: JSON?
      var sendHex: String?
      var expect: JSON?
      var close: Bool?
      var disconnect: Bool?

      enum CodingKeys: String, CodingKey {
        case on, send, expect, close, disconnect
        case sendHex = "send_hex"
      }
    }

    var name: String
    var steps: [Step]
  }

  static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(
    path: "../../../proto/vectors")

  static func frames(_ theme: String) throws -> [Frame] {
    try load("frames/\(theme).json")
  }

  static func streams() throws -> [Stream] {
    try load("frames/streams.json")
  }

  static func sessions() throws -> [Session] {
    try FileManager.default.contentsOfDirectory(atPath: folder.appending(path: "sessions").path)
      .filter { $0.hasSuffix(".json") }.sorted()
      .flatMap { try load("sessions/\($0)") as [Session] }
  }

  /// The bytes of the only block of code in PROTOCOL.md: pairs of digits, then, after two spaces, words.
  static func workedExample() throws -> String {
    let text = try String(contentsOf: folder.appending(path: "../PROTOCOL.md"), encoding: .utf8)
    guard let block = text.components(separatedBy: "```").dropFirst().first else { return "" }
    return block.split(separator: "\n").map { line in
      line.components(separatedBy: "  ")[0].filter { $0 != " " }
    }.joined()
  }

  private static func load<Value: Decodable>(_ file: String) throws -> Value {
    try JSONDecoder().decode(Value.self, from: Data(contentsOf: folder.appending(path: file)))
  }
}

/// Shows a vector by its name in test reports.
protocol NamedVector: CustomStringConvertible {
  var name: String { get }
}

extension NamedVector {
  var description: String { name }
}
