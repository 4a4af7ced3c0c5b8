import CLibFuzzer
import JobProtocol
import NIOCore

/// What SwiftPM links as the program's `main`.
@_cdecl("FuzzFrames_main")
public func start(_ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?) -> CInt {
  var (count, arguments) = (count, arguments)
  return LLVMFuzzerRunDriver(&count, &arguments, fuzzFrames)
}

/// The first byte says how many bytes arrive at a time, the rest is what arrives. However it is cut, the same frames
/// must come out as a reader of the whole would find.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzFrames(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = Array(UnsafeBufferPointer(start: start, count: count))
  guard let first = input.first else { return 0 }
  let stream = Array(input.dropFirst())
  let step = Int(first) + 1
  var reader = FrameReader()
  var bodies: [[UInt8]] = []
  var isRefused = false
  for begin in stride(from: 0, to: stream.count, by: step) where !isRefused {
    var bytes = ByteBuffer(bytes: stream[begin..<min(begin + step, stream.count)])
    reader.append(&bytes)
    do {
      while let body = try reader.next() { bodies.append(Array(body.readableBytesView)) }
    } catch {
      isRefused = true
    }
  }
  let expected = frames(in: stream[...])
  precondition(bodies == expected.bodies, "other frames than are there")
  precondition(isRefused == expected.isRefused, "a length was refused, or was not")
  precondition(isRefused || reader.hasPartialFrame == expected.hasRest, "a rest was lost, or made up")
  return 0
}

/// The plain reading of PROTOCOL.md.
private func frames(in stream: ArraySlice<UInt8>) -> (bodies: [[UInt8]], isRefused: Bool, hasRest: Bool) {
  var rest = stream
  var bodies: [[UInt8]] = []
  while rest.count >= 4 {
    let length = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
    guard 1...(1 << 20) ~= length else { return (bodies, true, true) }
    guard rest.count >= 4 + length else { break }
    bodies.append(Array(rest.dropFirst(4).prefix(length)))
    rest = rest.dropFirst(4 + length)
  }
  return (bodies, false, !rest.isEmpty)
}
