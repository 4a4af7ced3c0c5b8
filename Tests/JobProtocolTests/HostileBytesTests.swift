import JobModel
import JobProtocol
import Testing
import VectorSupport

@Suite("Hostile bytes")
struct HostileBytesTests {
  private let codec = MessageCodec()

  /// What must hold of any bytes: they are a message that can be written again, or they are refused with a reason.
  private func read(_ body: [UInt8]) throws {
    do throws(DecodingFailure) {
      let request = try codec.request(body)
      #expect(throws: Never.self) { try codec.body(request) }
    } catch {
      #expect([.invalidArgument, .unsupported].contains(error.error.code))
      #expect(!error.error.message.isEmpty)
    }
    _ = try? codec.response(body)
  }

  @Test("Bytes at random are read or refused", arguments: 0..<20 as Range<UInt64>)
  func randomBytes(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    for _ in 0..<500 {
      let length = Int.random(in: 0...64, using: &random)
      try read((0..<length).map { _ in UInt8.random(in: 0...255, using: &random) })
    }
  }

  @Test("Sound messages with damaged bytes are read or refused", arguments: 0..<20 as Range<UInt64>)
  func damagedBytes(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    var arbitrary = Arbitrary(seed: seed)
    for round in 0..<200 {
      var body =
        round.isMultiple(of: 2) ? try codec.body(arbitrary.request()) : codec.body(arbitrary.response())
      for _ in 0...Int.random(in: 0...3, using: &random) {
        body[Int.random(in: body.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      try read(body)
    }
  }

  @Test("A message cut short anywhere is read or refused")
  func truncation() throws {
    var arbitrary = Arbitrary(seed: 1)
    for _ in 0..<50 {
      let body = try codec.body(arbitrary.request())
      for length in 0..<min(body.count, 300) { try read(Array(body.prefix(length))) }
    }
  }

  @Test("A NUL or a byte of bad UTF-8 is found at every place of a text", arguments: [0x00, 0xFF] as [UInt8])
  func everyPlace(byte: UInt8) {
    for place in 0..<40 {
      for length in place + 1...40 {
        var text = Array(repeating: UInt8(ascii: "t"), count: length)
        text[place] = byte
        let body = [0x08, 0x07, 0xAA, 0x01, UInt8(length + 2), 0x0A, UInt8(length)] + text
        let failure = #expect(throws: DecodingFailure.self) { try codec.request(body) }
        #expect(failure?.error.message.hasPrefix("pause.type") == true)
        #expect(failure?.id == 7)
      }
    }
  }
}
