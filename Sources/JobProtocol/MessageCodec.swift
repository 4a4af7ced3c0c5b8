import CJobBrokerProto
import CProtobufC
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
  /// The id of the request, when it could be read; else 0.
  public var id: UInt64
  /// What to answer.
  public var error: JobError
  /// Whether the peer speaks something else altogether, so that the connection should end.
  public var isFatal: Bool
}

/// Turns messages into frames and back. Keeps an arena and is reused frame after frame; one a thread.
public final class MessageCodec {
  /// What a request may need in memory; the largest batch of jobs needs a quarter of it.
  static let requestMemory = 8 << 20
  /// What a response may need in memory: a full frame of the smallest jobs, each of about 2 KB when unpacked.
  static let responseMemory = 64 << 20

  private let arena = Arena()
  private let requestDescriptor: WireCheck.Descriptor
  private let responseDescriptor: WireCheck.Descriptor

  /// A codec with an arena of its own.
  public init() {
    var request = Jobbroker__Request()
    jobbroker__request__init(&request)
    requestDescriptor = request.base.descriptor
    var response = Jobbroker__Response()
    jobbroker__response__init(&response)
    responseDescriptor = response.base.descriptor
  }

  /// Reads a request from a frame's body and checks every field against `Limits`; what it returns is within them.
  /// Absent fields have the defaults of the model's types.
  ///
  /// - Throws: INVALID_ARGUMENT, which names the field and what is allowed; UNSUPPORTED for an operation or an
  ///   enum's value that this version does not know.
  public func decodeRequest(_ body: UnsafeRawBufferPointer) throws(DecodingFailure) -> Request {
    let message = try unpack(
      Jobbroker__Request.self, body, as: requestDescriptor, called: "The request",
      limit: MessageCodec.requestMemory)
    let id = message.pointee.id
    do throws(JobError) {
      guard id > 0 else {
        throw JobError(.invalidArgument, "The request's id is 0 or missing; number requests from 1.")
      }
      return Request(id: id, operation: try Operation(decoding: message))
    } catch {
      throw DecodingFailure(id: id, error: error, isFatal: false)
    }
  }

  /// Reads a response from a frame's body.
  ///
  /// - Throws: INVALID_ARGUMENT for bytes that no broker sends; UNSUPPORTED for a reply or an enum's value that this
  ///   version does not know.
  public func decodeResponse(_ body: UnsafeRawBufferPointer) throws(DecodingFailure) -> Response {
    let message = try unpack(
      Jobbroker__Response.self, body, as: responseDescriptor, called: "The response",
      limit: MessageCodec.responseMemory)
    let id = message.pointee.id
    do throws(JobError) {
      return Response(id: id, reply: try Reply(decoding: message))
    } catch {
      throw DecodingFailure(id: id, error: error, isFatal: false)
    }
  }

  /// Appends the whole frame, length prefix included.
  ///
  /// - Throws: INVALID_ARGUMENT when a text holds a NUL character or the frame would be larger than `Limits.frame`;
  ///   nothing is appended then.
  public func encode(_ request: Request, into buffer: inout ByteBuffer) throws(JobError) {
    arena.reset()
    let message = arena.message(request)
    guard !arena.holdsNUL else {
      throw JobError(
        .invalidArgument, "A text of the request contains a NUL character, which is not allowed.")
    }
    let length = jobbroker__request__get_packed_size(message)
    guard length <= Limits.frame else {
      throw JobError(
        .invalidArgument,
        "The request takes \(length) bytes; a frame holds at most \(Limits.frame). Send less at once.")
    }
    MessageCodec.writeFrame(length, to: &buffer) { jobbroker__request__pack(message, $0) }
  }

  /// Appends the whole frame, length prefix included.
  ///
  /// What would be larger than `Limits.frame` becomes an INTERNAL error with the same id, except that a single job
  /// leaves out its oldest history first. Whoever sends several jobs keeps within `jobsSize`.
  public func encode(_ response: Response, into buffer: inout ByteBuffer) {
    arena.reset()
    var message = arena.message(response)
    var length = jobbroker__response__get_packed_size(message)
    if length > Limits.frame {
      message = arena.message(MessageCodec.reduced(response, from: length))
      length = jobbroker__response__get_packed_size(message)
    }
    MessageCodec.writeFrame(length, to: &buffer) { jobbroker__response__pack(message, $0) }
  }

  private static func reduced(_ response: Response, from length: Int) -> Response {
    if case .job(let job) = response.reply, let smaller = job.withoutOldestHistory(withinSize: jobsSize) {
      return Response(id: response.id, reply: .job(smaller))
    }
    return Response(
      id: response.id,
      reply: .error(
        JobError(.internal, "The reply takes \(length) bytes; a frame holds at most \(Limits.frame).")))
  }

  private static func writeFrame(
    _ length: Int, to buffer: inout ByteBuffer, pack: (UnsafeMutablePointer<UInt8>) -> Int
  ) {
    buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: FrameReader.prefixLength + length) { space in
      space.storeBytes(of: UInt32(length).bigEndian, as: UInt32.self)
      // At least four bytes were asked for, so there is an address.
      let body = space.baseAddress! + FrameReader.prefixLength
      return FrameReader.prefixLength + pack(body.assumingMemoryBound(to: UInt8.self))
    }
  }

  private func unpack<Message>(
    _: Message.Type, _ body: UnsafeRawBufferPointer, as descriptor: WireCheck.Descriptor, called name: String,
    limit: Int
  ) throws(DecodingFailure) -> UnsafeMutablePointer<Message> {
    do throws(WireFault) {
      try WireCheck.check(body, as: descriptor)
    } catch {
      throw DecodingFailure(
        id: WireCheck.messageID(body),
        error: JobError(.invalidArgument, "\(error.path.isEmpty ? name : error.path) \(error.reason)."),
        isFatal: error.isMalformed)
    }
    arena.reset(limit: limit)
    let bytes = body.baseAddress?.assumingMemoryBound(to: UInt8.self)
    if let message = protobuf_c_message_unpack(descriptor, arena.allocator, body.count, bytes) {
      // protobuf-c has allocated and filled the message that the descriptor describes.
      return UnsafeMutableRawPointer(message).assumingMemoryBound(to: Message.self)
    }
    throw DecodingFailure(
      id: WireCheck.messageID(body),
      error: JobError(
        .invalidArgument,
        arena.isExhausted
          ? "\(name) has too many parts: it needs more than \(limit) bytes of memory."
          : "\(name) is not a protobuf message."),
      isFatal: !arena.isExhausted)
  }
}
