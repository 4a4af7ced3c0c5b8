import CProtobufC
import JobModel

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The memory of one message: handed out piece by piece, zeroed, and taken back all at once.
///
/// protobuf-c unpacks into it, and messages to be packed are built in it. `free` does nothing, every piece is zeroed
/// (protobuf-c 1.4 may follow a pointer that it has not set when an unpack fails) and a limit bounds what a peer
/// can make us allocate: an unknown field of two bytes costs about 88.
struct Arena: ~Copyable {
  /// Kept from message to message; enough for all but large batches and payloads.
  private static let firstChunk = 64 << 10
  /// What a full chunk is followed by, at least.
  private static let nextChunk = 256 << 10
  /// Of every piece, in bytes: what `malloc` promises too.
  private static let alignment = 16

  private struct State {
    var cursor: UnsafeMutableRawPointer
    var end: UnsafeMutableRawPointer
    var allowance = Int.max
    var isExhausted = false
    var holdsNUL = false
    var spilled: [UnsafeMutableRawPointer] = []
  }

  private let first: UnsafeMutableRawPointer
  private let state: UnsafeMutablePointer<State>
  /// For protobuf-c.
  let allocator: UnsafeMutablePointer<ProtobufCAllocator>

  init() {
    first = .allocate(byteCount: Arena.firstChunk, alignment: Arena.alignment)
    state = .allocate(capacity: 1)
    state.initialize(to: State(cursor: first, end: first + Arena.firstChunk))
    allocator = .allocate(capacity: 1)
    allocator.initialize(
      to: ProtobufCAllocator(
        alloc: { state, count in
          // protobuf-c passes back `allocator_data`, which is never nil.
          Arena.allocate(count, from: state!.assumingMemoryBound(to: State.self))
        },
        free: { _, _ in },
        allocator_data: state))
  }

  deinit {
    for chunk in state.pointee.spilled { chunk.deallocate() }
    state.deinitialize(count: 1)
    state.deallocate()
    allocator.deallocate()
    first.deallocate()
  }

  /// Takes everything back and lets protobuf-c have `limit` bytes.
  func reset(limit: Int = .max) {
    for chunk in state.pointee.spilled { chunk.deallocate() }
    state.pointee = State(cursor: first, end: first + Arena.firstChunk, allowance: limit)
  }

  /// Whether protobuf-c wanted more than the limit since the last reset.
  var isExhausted: Bool { state.pointee.isExhausted }

  /// Whether a text given to `text(_:)` since the last reset holds a NUL, which ends it early on the wire.
  var holdsNUL: Bool { state.pointee.holdsNUL }

  private static func allocate(
    _ count: Int, from state: UnsafeMutablePointer<State>
  ) -> UnsafeMutableRawPointer? {
    guard count <= state.pointee.allowance else {
      state.pointee.isExhausted = true
      return nil
    }
    state.pointee.allowance -= count
    let piece = take(count, from: state)
    memset(piece, 0, count)
    return piece
  }

  private static func take(
    _ count: Int, from state: UnsafeMutablePointer<State>
  ) -> UnsafeMutableRawPointer {
    let size = (count + alignment - 1) & ~(alignment - 1)
    if state.pointee.end - state.pointee.cursor < size {
      let chunk = max(size, nextChunk)
      state.pointee.cursor = .allocate(byteCount: chunk, alignment: alignment)
      state.pointee.end = state.pointee.cursor + chunk
      state.pointee.spilled.append(state.pointee.cursor)
    }
    let piece = state.pointee.cursor
    state.pointee.cursor = piece + size
    return piece
  }
}

/// Building messages. What is built copies what the caller holds already, so it is not limited.
extension Arena {
  /// A message with no field set.
  func make<Message>(
    _ initialize: (UnsafeMutablePointer<Message>?) -> Void
  ) -> UnsafeMutablePointer<Message> {
    let message = Arena.take(MemoryLayout<Message>.size, from: state).bindMemory(
      to: Message.self, capacity: 1)
    initialize(message)
    return message
  }

  /// A C string.
  func text(_ string: String) -> UnsafeMutablePointer<CChar> {
    var string = string
    return string.withUTF8 { utf8 in
      let copy = Arena.take(utf8.count + 1, from: state)
      if let start = utf8.baseAddress {
        memcpy(copy, start, utf8.count)
        if memchr(start, 0, utf8.count) != nil { state.pointee.holdsNUL = true }
      }
      copy.storeBytes(of: 0, toByteOffset: utf8.count, as: UInt8.self)
      return copy.bindMemory(to: CChar.self, capacity: utf8.count + 1)
    }
  }

  /// A C string, or nil.
  func text(_ string: String?) -> UnsafeMutablePointer<CChar>? { string.map { text($0) } }

  /// The 16 bytes of an id.
  func bytes(_ id: JobID) -> ProtobufCBinaryData {
    let copy = Arena.take(16, from: state).bindMemory(to: UInt8.self, capacity: 16)
    // A buffer of 16 bytes has an address.
    id.withBytes { UnsafeMutableRawPointer(copy).copyMemory(from: $0.baseAddress!, byteCount: 16) }
    return ProtobufCBinaryData(len: 16, data: copy)
  }

  /// The value of a repeated field: one element of the message for each of `elements`.
  func list<Element, Value>(
    _ elements: some Collection<Element>, _ build: (Element) -> Value
  ) -> (count: Int, values: UnsafeMutablePointer<Value>) {
    let values = Arena.take(elements.count * MemoryLayout<Value>.stride, from: state)
      .bindMemory(to: Value.self, capacity: elements.count)
    var count = 0
    for element in elements {
      (values + count).initialize(to: build(element))
      count += 1
    }
    return (count, values)
  }
}
