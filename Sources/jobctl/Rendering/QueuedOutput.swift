import Dispatch
import Glibc
import Synchronization

/// A stream that a thread of its own writes to, so that whoever prints never waits for whoever reads. What finds no
/// room because nobody reads is dropped, and how much that was is said as soon as somebody reads again.
final class QueuedOutput: Sendable {
  private struct State {
    var waiting: [UInt8] = []
    /// Bytes that are being written.
    var underway = 0
    /// Bytes written so far.
    var written = 0
    /// Bytes that found no room since `waiting` was last taken.
    var dropped = 0
    var isWriting = false
    /// Nobody will ever read, or nothing more can be written.
    var isDeserted = false
  }

  private let stream: StandardStream
  private let notices: QueuedOutput?
  private let limit: Int
  private let state = Mutex(State())
  /// A serial queue that blocks has a thread to itself; those of the tasks are others.
  private let thread = DispatchQueue(label: "output")
  private let writing = DispatchGroup()

  /// - Parameters:
  ///   - notices: where to say that something was dropped; nil: in the place of it.
  ///   - limit: how many bytes may wait for the reader.
  init(_ stream: StandardStream, notices: QueuedOutput? = nil, limit: Int = 4 << 20) {
    self.stream = stream
    self.notices = notices
    self.limit = limit
  }

  /// Queues a text.
  func write(_ text: String) {
    var text = text
    text.withUTF8 { write(UnsafeRawBufferPointer($0)) }
  }

  /// Queues bytes.
  func write(_ bytes: UnsafeRawBufferPointer) {
    let wasWriting = state.withLock { state in
      guard !state.isDeserted else { return true }
      // After a gap nothing, until it is known where it is.
      let hasRoom = state.dropped == 0 && state.underway + state.waiting.count + bytes.count <= limit
      if hasRoom { state.waiting += bytes } else { state.dropped += bytes.count }
      defer { state.isWriting = true }
      return state.isWriting
    }
    if !wasWriting { thread.async(group: writing) { self.writeAll() } }
  }

  /// Waits until all is written, as long as somebody reads.
  ///
  /// - Parameter patience: Seconds in which nothing is read after which nobody is waited for.
  /// - Returns: how many bytes nobody has read.
  @discardableResult
  func finish(patience: Int) -> Int {
    var written = state.withLock { $0.written }
    while writing.wait(timeout: .now() + .seconds(patience)) == .timedOut {
      let (now, left) = state.withLock { ($0.written, $0.underway + $0.waiting.count + $0.dropped) }
      if now == written { return left }
      written = now
    }
    return 0
  }

  private func writeAll() {
    while let (bytes, dropped) = next() {
      if let error = put(bytes) {
        if error != EPIPE { notices?.write("jobctl: \(StandardStream.complaint(of: error))\n") }
        return state.withLock { $0.isDeserted = true }
      }
      guard dropped > 0 else { continue }
      let notice = "jobctl: nobody read the output: \(dropped) bytes of it were dropped\n"
      if let notices { notices.write(notice) } else { _ = put(Array(notice.utf8)) }
    }
  }

  /// What is to be written next, and how much was dropped after it.
  private func next() -> (bytes: [UInt8], dropped: Int)? {
    state.withLock { state in
      guard !state.waiting.isEmpty || state.dropped > 0 else {
        (state.underway, state.isWriting) = (0, false)
        return nil
      }
      defer { (state.underway, state.waiting, state.dropped) = (state.waiting.count, [], 0) }
      return (state.waiting, state.dropped)
    }
  }

  /// Writes bytes; returns the error that kept it from that.
  private func put(_ bytes: [UInt8]) -> Int32? {
    // In parts, to see that somebody reads.
    for start in stride(from: 0, to: bytes.count, by: 4096) {
      let part = bytes[start..<min(start + 4096, bytes.count)]
      if let error = part.withUnsafeBytes({ stream.error(writing: $0) }) { return error }
      state.withLock { state in
        state.written += part.count
        state.underway = max(0, state.underway - part.count)
      }
    }
    return nil
  }
}
