import JobModel
import NIOCore

/// Cuts a stream of bytes into frames.
///
/// After each `append`, call `next` until it returns nil. A frame that arrived whole in one read is a slice of it;
/// only the beginning of a frame that is still incomplete is copied. So the reader holds less than one frame and one
/// read.
public struct FrameReader {
  /// Bytes of the length that precedes every frame: big-endian, not counting itself.
  public static let prefixLength = 4

  private let maximumLength: Int
  private var pending = ByteBuffer()

  /// A reader of frames of 1 to `maximumLength` bytes, their length prefix not counted.
  public init(maximumLength: Int = Limits.frame) {
    self.maximumLength = maximumLength
  }

  /// Takes the bytes that arrived; `bytes` is empty afterwards.
  public mutating func append(_ bytes: inout ByteBuffer) {
    if pending.readableBytes == 0 {
      pending = bytes
      bytes = ByteBuffer()
    } else {
      pending.writeBuffer(&bytes)
    }
  }

  /// The next whole frame's body; nil when more bytes are needed.
  ///
  /// - Throws: INVALID_ARGUMENT for a length of 0 or above the maximum. Where the next frame begins is unknown then,
  ///   so the connection can only be closed.
  public mutating func next() throws(JobError) -> ByteBuffer? {
    guard let length = pending.getInteger(at: pending.readerIndex, as: UInt32.self) else {
      detachPartialFrame()
      return nil
    }
    guard length > 0, length <= maximumLength else {
      throw JobError(
        .invalidArgument,
        "A frame of \(length) bytes was announced; its length must be 1 to \(maximumLength). "
          + "The connection will be closed.")
    }
    guard pending.readableBytes >= FrameReader.prefixLength + Int(length) else {
      detachPartialFrame()
      return nil
    }
    pending.moveReaderIndex(forwardBy: FrameReader.prefixLength)
    let body = pending.readSlice(length: Int(length))
    if pending.readableBytes == 0 { pending = ByteBuffer() }
    return body
  }

  /// Whether part of a frame waits for the rest.
  public var hasPartialFrame: Bool { pending.readableBytes > 0 }

  /// Bytes of memory that what waits takes: for the rest of its frame, or to be asked for.
  public var heldBytes: Int { hasPartialFrame ? pending.storageCapacity : 0 }

  /// Lets go of the frames before a partial one: their memory is the reader of the frames' business.
  private mutating func detachPartialFrame() {
    guard pending.readerIndex > 0 else { return }
    pending = ByteBuffer(bytes: pending.readableBytesView)
  }
}
