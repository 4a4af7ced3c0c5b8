import JobModel
import JobProtocol
import NIOCore
import Testing
import VectorSupport

@Suite("Frames of proto/vectors")
struct FrameVectorTests {
  private let codec = MessageCodec()

  private func body(_ vector: Vectors.Frame) throws -> [UInt8] {
    let bytes = try #require(Hex.bytes(vector.hex))
    #expect(bytes.prefix(4).reduce(0) { $0 << 8 | Int($1) } == bytes.count - 4)
    return Array(bytes.dropFirst(4))
  }

  @Test(
    "A sound request is read, and written again it says the same", arguments: try Vectors.frames("requests"))
  func soundRequest(vector: Vectors.Frame) throws {
    let body = try body(vector)
    let message = try #require(vector.message)
    let rewritten = try WireJSON.request.json(codec.body(codec.request(body)))
    var pattern = Pattern()
    #expect(pattern.mismatch(message, rewritten) == nil)
  }

  @Test(
    "A sound response is read, and written again it says the same", arguments: try Vectors.frames("responses")
  )
  func soundResponse(vector: Vectors.Frame) throws {
    let body = try body(vector)
    let message = try #require(vector.message)
    let rewritten = try WireJSON.response.json(codec.body(codec.response(body)))
    var pattern = Pattern()
    #expect(pattern.mismatch(message, rewritten) == nil)
    #expect(pattern.mismatch(rewritten, message) == nil)
  }

  @Test("The worked example of PROTOCOL.md has the bytes that protoc writes")
  func workedExample() throws {
    let vector = try #require(try Vectors.frames("requests").first { $0.name == "create, type alone" })
    #expect(try Vectors.workedExample() == vector.hex)
  }

  @Test("A hostile message is refused as documented", arguments: try Vectors.frames("hostile"))
  func hostile(vector: Vectors.Frame) throws {
    let body = try body(vector)
    let expected = try #require(vector.error)
    let failure = #expect(throws: DecodingFailure.self) {
      switch vector.direction {
      case .request: _ = try codec.request(body)
      case .response: _ = try codec.response(body)
      }
    }
    #expect(failure?.error.code.rawValue == expected.code)
    #expect(failure?.error.message.contains(expected.contains) == true, "\(failure?.error.message ?? "")")
    #expect(failure?.isFatal == expected.fatal)
    #expect(failure?.id == expected.id)
  }

  @Test(
    "A stream is cut as documented, however it arrives", arguments: try Vectors.streams(), [1, 2, 3, 5, 1000])
  func stream(vector: Vectors.Stream, readSize: Int) throws {
    let bytes = try #require(Hex.bytes(vector.stream))
    var reader = FrameReader()
    var bodies: [String] = []
    var isRefused = false
    for start in stride(from: 0, to: bytes.count, by: readSize) where !isRefused {
      var read = ByteBuffer(bytes: bytes[start..<min(start + readSize, bytes.count)])
      reader.append(&read)
      do {
        while let body = try reader.next() { bodies.append(Hex.text(body.readableBytesView)) }
      } catch {
        #expect(error.code == .invalidArgument)
        isRefused = true
      }
    }
    #expect(bodies == vector.bodies)
    #expect(isRefused == vector.refused)
    if !vector.refused { #expect(reader.hasPartialFrame == vector.partial) }
  }
}
