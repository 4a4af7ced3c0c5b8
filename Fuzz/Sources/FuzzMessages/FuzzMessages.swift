import CLibFuzzer
import JobProtocol
import NIOCore

// libFuzzer calls on one thread only.
nonisolated(unsafe) private let codec = MessageCodec()

/// What SwiftPM links as the program's `main`.
@_cdecl("FuzzMessages_main")
public func start(_ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?) -> CInt {
  var (count, arguments) = (count, arguments)
  return LLVMFuzzerRunDriver(&count, &arguments, fuzzMessages)
}

/// Any bytes are a message that can be written and read again, or are refused with a reason.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzMessages(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = UnsafeRawBufferPointer(start: start, count: count)
  do throws(DecodingFailure) {
    let request = try codec.decodeRequest(input)
    var frame = ByteBuffer()
    do { try codec.encode(request, into: &frame) } catch { fatalError("can't be written: \(error)") }
    let again = try? frame.body { body throws(DecodingFailure) in try codec.decodeRequest(body) }
    precondition(again == request, "another request: \(request)")
  } catch {
    precondition(!error.error.message.isEmpty, "refused without a reason")
  }
  guard let response = try? codec.decodeResponse(input) else { return 0 }
  var frame = ByteBuffer()
  codec.encode(response, into: &frame)
  let again = try? frame.body { body throws(DecodingFailure) in try codec.decodeResponse(body) }
  precondition(again?.id == response.id, "can't be read again: \(response)")
  return 0
}

extension ByteBuffer {
  /// What follows the length.
  fileprivate func body<R>(_ read: (UnsafeRawBufferPointer) throws(DecodingFailure) -> R)
    throws(DecodingFailure) -> R
  {
    try withUnsafeReadableBytes { bytes throws(DecodingFailure) in
      try read(UnsafeRawBufferPointer(rebasing: bytes[FrameReader.prefixLength...]))
    }
  }
}
