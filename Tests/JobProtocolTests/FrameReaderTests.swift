import JobModel
import JobProtocol
import NIOCore
import Testing
import VectorSupport

@Suite("Cutting a stream into frames")
struct FrameReaderTests {
  @Test("Frames that arrive byte by byte come out as they were sent")
  func dripFeed() throws {
    let codec = MessageCodec()
    var arbitrary = Arbitrary(seed: 3)
    let requests = (0..<50).map { _ in arbitrary.request() }
    var stream = ByteBuffer()
    for request in requests { try codec.encode(request, into: &stream) }

    var reader = FrameReader()
    var received: [Request] = []
    for byte in stream.readableBytesView {
      var read = ByteBuffer(bytes: [byte])
      reader.append(&read)
      #expect(read.readableBytes == 0)
      while let body = try reader.next() { received.append(try codec.request(Array(body.readableBytesView))) }
    }
    #expect(received == requests)
    #expect(!reader.hasPartialFrame)
  }

  @Test("A frame of the maximum length is cut, however it arrives", arguments: [8192, 65_537, 2 << 20])
  func largest(readSize: Int) throws {
    var stream = ByteBuffer()
    for fill in [UInt8(1), 2] {
      stream.writeInteger(UInt32(Limits.frame))
      stream.writeRepeatingByte(fill, count: Limits.frame)
    }
    var reader = FrameReader()
    var bodies: [ByteBuffer] = []
    while stream.readableBytes > 0 {
      guard var read = stream.readSlice(length: min(readSize, stream.readableBytes)) else { break }
      reader.append(&read)
      while let body = try reader.next() { bodies.append(body) }
    }
    #expect(bodies.map(\.readableBytes) == [Limits.frame, Limits.frame])
    #expect(bodies.map { $0.readableBytesView.first } == [1, 2])
    #expect(bodies.map { $0.readableBytesView.last } == [1, 2])
  }

  @Test("Bytes before a read's reader index are not part of it")
  func readerIndex() throws {
    var read = ByteBuffer(bytes: [9, 9, 0, 0, 0, 1, 7, 0, 0])
    read.moveReaderIndex(forwardBy: 2)
    var reader = FrameReader()
    reader.append(&read)
    #expect(try reader.next() == ByteBuffer(bytes: [7]))
    #expect(try reader.next() == nil)
    #expect(reader.hasPartialFrame)
  }

  @Test("The refusal of a length says what is allowed and what happens next")
  func refusal() {
    var reader = FrameReader(maximumLength: 100)
    var read = ByteBuffer(bytes: [0, 0, 0, 101])
    reader.append(&read)
    let error = #expect(throws: JobError.self) { try reader.next() }
    #expect(
      error?.message
        == "A frame of 101 bytes was announced; its length must be 1 to 100. The connection will be closed.")
  }
}
