import JobModel
import NIOCore

/// A request as the broker reads it.
public struct Request: Sendable, Equatable {
  /// The client's number for it; its response repeats it.
  public var id: UInt64
  /// What it asks.
  public var operation: Operation

  /// A request from its parts.
  public init(id: UInt64, operation: Operation) {
    self.id = id
    self.operation = operation
  }
}

/// A response as the client reads it.
public struct Response: Sendable, Equatable {
  /// The number of the request it answers; 0 for a notice.
  public var id: UInt64
  /// The answer.
  public var reply: Reply

  /// A response from its parts.
  public init(id: UInt64, reply: Reply) {
    self.id = id
    self.reply = reply
  }
}

/// Why a frame could not be read as a message.
public struct DecodingFailure: Error, Sendable, Equatable {
  /// The id of the request, when it could be read.
  public var id: UInt64
  /// What to answer.
  public var error: JobError
  /// Whether the peer speaks something else altogether, so that the connection should end.
  public var isFatal: Bool
}

/// Turns messages into frames and back. Keeps an arena and is reused frame after frame; one a thread.
public final class MessageCodec {
  public static func encodedSize(of job: Job) -> Int { fatalError() }
  public init() {}
  public func decodeRequest(_ body: UnsafeRawBufferPointer) throws(DecodingFailure) -> Request { fatalError() }
  public func decodeResponse(_ body: UnsafeRawBufferPointer) throws(DecodingFailure) -> Response { fatalError() }
  /// Appends the whole frame, length prefix included.
  public func encode(_ request: Request, into buffer: inout ByteBuffer) throws(JobError) { fatalError() }
  public func encode(_ response: Response, into buffer: inout ByteBuffer) { fatalError() }
}

/// Cuts a stream of bytes into frames.
public struct FrameReader {
  public init(maximumLength: Int = Limits.frame) { fatalError() }
  /// Bytes that arrived.
  public mutating func append(_ bytes: inout ByteBuffer) { fatalError() }
  /// The next whole frame's body; nil when more bytes are needed. Throws INVALID_ARGUMENT for a length of 0 or above the maximum.
  public mutating func next() throws(JobError) -> ByteBuffer? { fatalError() }
  /// Whether part of a frame waits for the rest.
  public var hasPartialFrame: Bool { fatalError() }
}
