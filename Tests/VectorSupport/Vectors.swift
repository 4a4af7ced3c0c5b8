import Foundation

/// The files of proto/vectors.
package enum Vectors {
  /// A message as bytes, and what it says or why it is refused.
  package struct Frame: Decodable, Sendable, NamedVector {
    package enum Direction: String, Decodable, Sendable { case request, response }

    package struct Refusal: Decodable, Sendable {
      package var code: String
      package var contains: String
      package var fatal: Bool
      package var id: UInt64
    }

    package var name: String
    package var direction: Direction
    package var hex: String
    package var message: JSON?
    package var error: Refusal?
  }

  /// Bytes as they arrive, and the frames in them.
  package struct Stream: Decodable, Sendable, NamedVector {
    package var name: String
    package var stream: String
    package var bodies: [String]
    package var refused: Bool
    package var partial: Bool
  }

  /// What a client sends and what the broker answers.
  package struct Session: Decodable, Sendable, NamedVector {
    /// One of `send`, `sendHex`, `expect`, `close` and `disconnect`.
    package struct Step: Decodable, Sendable {
      package var on: String?
      package var send: JSON?
      package var sendHex: String?
      package var expect: JSON?
      package var close: Bool?
      package var disconnect: Bool?

      enum CodingKeys: String, CodingKey {
        case on, send, expect, close, disconnect
        case sendHex = "send_hex"
      }

      /// A step as a file has it.
      package init(json: String) throws {
        self = try JSONDecoder().decode(Step.self, from: Data(json.utf8))
      }
    }

    package var name: String
    package var steps: [Step]
  }

  package static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(
    path: "../../proto/vectors")

  package static func frames(_ theme: String) throws -> [Frame] {
    try load("frames/\(theme).json")
  }

  package static func streams() throws -> [Stream] {
    try load("frames/streams.json")
  }

  package static func sessions() throws -> [Session] {
    try FileManager.default.contentsOfDirectory(atPath: folder.appending(path: "sessions").path)
      .filter { $0.hasSuffix(".json") }.sorted()
      .flatMap { try load("sessions/\($0)") as [Session] }
  }

  /// The bytes of the only block of code in PROTOCOL.md: pairs of digits, then, after two spaces, words.
  package static func workedExample() throws -> String {
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
package protocol NamedVector: CustomStringConvertible {
  var name: String { get }
}

extension NamedVector {
  package var description: String { name }
}
