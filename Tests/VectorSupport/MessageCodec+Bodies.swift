import JobModel
import JobProtocol
import NIOCore

/// What one frame's body says, and the body that says it.
extension MessageCodec {
  package func request(_ body: [UInt8]) throws(DecodingFailure) -> Request {
    // An array of bytes has contiguous storage, and only `decodeRequest` throws.
    let result = body.withUnsafeBytes { bytes in
      Result { () throws(DecodingFailure) in try decodeRequest(bytes) }
    }
    return try result.get()
  }

  package func response(_ body: [UInt8]) throws(DecodingFailure) -> Response {
    let result = body.withUnsafeBytes { bytes in
      Result { () throws(DecodingFailure) in try decodeResponse(bytes) }
    }
    return try result.get()
  }

  /// The body of the frame of a request.
  package func body(_ request: Request) throws(JobError) -> [UInt8] {
    var buffer = ByteBuffer()
    try encode(request, into: &buffer)
    return unframed(buffer)
  }

  /// The body of the frame of a response.
  package func body(_ response: Response) -> [UInt8] {
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
