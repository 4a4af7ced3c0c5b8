import Foundation
import JobProtocol
import NIOCore
import VectorSupport

/// Reads and writes frames by the client's codec, as lines on stdin say.
struct Frames {
  private let codec = MessageCodec()

  func run() throws {
    while let line = readLine() {
      let words = line.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
      guard words.count >= 2, let bytes = Hex.bytes(String(words[1])) else {
        throw Failure("bad line: \(line)")
      }
      switch words[0] {
      case "request": ConformanceAdapter.write(request(Array(bytes.dropFirst(4))))
      case "response": ConformanceAdapter.write(try response(Array(bytes.dropFirst(4))).description)
      case "stream": ConformanceAdapter.write(stream(bytes).description)
      default: throw Failure("bad line: \(line)")
      }
    }
  }

  private func request(_ body: [UInt8]) -> String {
    var frame = ByteBuffer()
    guard let request = try? codec.request(body), (try? codec.encode(request, into: &frame)) != nil else {
      return "refused"
    }
    return Hex.text(frame.readableBytesView)
  }

  private func response(_ body: [UInt8]) throws -> JSON {
    do throws(DecodingFailure) {
      let response = try codec.response(body)
      return .rewritten(codec.body(response))
    } catch {
      // As the client's connection does it.
      return error.isFatal || error.id == 0
        ? ["fatal": .bool(true)] : ["fatal": .bool(false), "id": .unsigned(error.id)]
    }
  }

  private func stream(_ bytes: [UInt8]) -> JSON {
    var reader = FrameReader()
    var bodies: [JSON] = []
    for byte in bytes {
      var read = ByteBuffer(bytes: [byte])
      reader.append(&read)
      do {
        while let body = try reader.next() { bodies.append(.string(Hex.text(body.readableBytesView))) }
      } catch {
        return ["bodies": .array(bodies), "partial": .bool(reader.hasPartialFrame), "refused": .bool(true)]
      }
    }
    return ["bodies": .array(bodies), "partial": .bool(reader.hasPartialFrame), "refused": .bool(false)]
  }
}

extension JSON {
  /// What the bytes of a response say.
  fileprivate static func rewritten(_ body: [UInt8]) -> JSON {
    do {
      return try WireJSON.response.json(body)
    } catch {
      return .string("\(error)")
    }
  }
}
