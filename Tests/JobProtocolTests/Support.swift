import JobModel
import JobProtocol
import NIOCore

extension MessageCodec {
  func request(_ body: [UInt8]) throws(DecodingFailure) -> Request {
    // An array of bytes has contiguous storage, and only `decodeRequest` throws.
    let result = body.withUnsafeBytes { bytes in
      Result { () throws(DecodingFailure) in try decodeRequest(bytes) }
    }
    return try result.get()
  }

  func response(_ body: [UInt8]) throws(DecodingFailure) -> Response {
    let result = body.withUnsafeBytes { bytes in
      Result { () throws(DecodingFailure) in try decodeResponse(bytes) }
    }
    return try result.get()
  }

  /// The body of the frame of a request.
  func body(_ request: Request) throws(JobError) -> [UInt8] {
    var buffer = ByteBuffer()
    try encode(request, into: &buffer)
    return unframed(buffer)
  }

  /// The body of the frame of a response.
  func body(_ response: Response) -> [UInt8] {
    var buffer = ByteBuffer()
    encode(response, into: &buffer)
    return unframed(buffer)
  }

  /// The body of a buffer that holds one whole frame and nothing else; else empty, as no message's body is.
  private func unframed(_ buffer: ByteBuffer) -> [UInt8] {
    var buffer = buffer
    guard let length = buffer.readInteger(as: UInt32.self), Int(length) == buffer.readableBytes else {
      return []
    }
    return Array(buffer.readableBytesView)
  }
}

/// Random numbers that are the same in every run (SplitMix64, Steele, Lea and Flood 2014).
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }
}
