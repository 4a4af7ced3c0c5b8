import JobModel
import Synchronization

/// What came for a watch and was not read yet. Bounded: a reader that falls behind by more than the capacity is told
/// that it missed something, and gets a new snapshot once it has caught up.
final class WatchBuffer: Sendable {
  private struct State {
    var events: [WatchEvent] = []
    /// Events before this index were read.
    var next = 0
    var hasOverflowed = false
    var ending: JobError?
    var reader: CheckedContinuation<Reading, Never>?

    var unread: Int { events.count - next }

    /// Hands an event to the reader who waits, or keeps it for him.
    mutating func add(_ event: WatchEvent) {
      guard let reader else { return events.append(event) }
      self.reader = nil
      reader.resume(returning: .event(event))
    }
  }

  /// What a reader gets.
  enum Reading: Sendable {
    case event(WatchEvent)
    /// `interrupted`, because the reader was too slow: the watch has to be begun anew.
    case overflowed
    case failed(JobError)
    case cancelled
  }

  private let capacity: Int
  private let state = Mutex(State())

  init(capacity: Int = Limits.snapshot) {
    self.capacity = capacity
  }

  /// Adds an event; false when there is no room, which drops all that is unread.
  func append(_ event: WatchEvent) -> Bool {
    state.withLock { state in
      guard state.unread < capacity else {
        state.events = []
        state.next = 0
        state.hasOverflowed = true
        return false
      }
      state.add(event)
      return true
    }
  }

  /// Tells the reader that it misses something, unless that is the last thing it was told. There is always room for
  /// it: whoever interrupts a watch begins it anew, and an overflow would make its reader do so too.
  func interrupt() {
    state.withLock { state in
      let isTold = state.hasOverflowed || state.unread > 0 && state.events.last == .interrupted
      if !isTold { state.add(.interrupted) }
    }
  }

  /// Nothing more will come; what is unread stays readable.
  func end(with error: JobError) {
    state.withLock { state in
      state.ending = error
      state.reader?.resume(returning: .failed(error))
      state.reader = nil
    }
  }

  /// The next event, in order.
  nonisolated(nonsending) func read() async -> Reading {
    await withTaskCancellationHandler {
      await withCheckedContinuation { reader in
        if let reading = takeOrWait(reader) { reader.resume(returning: reading) }
        // The handler below may have run before there was a reader for it to wake.
        if Task.isCancelled { wake() }
      }
    } onCancel: {
      wake()
    }
  }

  private func takeOrWait(_ reader: CheckedContinuation<Reading, Never>) -> Reading? {
    state.withLock { state in
      if state.hasOverflowed {
        state.hasOverflowed = false
        return .overflowed
      }
      if state.unread > 0 {
        let event = state.events[state.next]
        state.next += 1
        if state.unread == 0 {
          state.events.removeAll(keepingCapacity: true)
          state.next = 0
        }
        return .event(event)
      }
      if let ending = state.ending { return .failed(ending) }
      precondition(state.reader == nil, "a watch has one reader")
      state.reader = reader
      return nil
    }
  }

  private func wake() {
    state.withLock { state in
      state.reader?.resume(returning: .cancelled)
      state.reader = nil
    }
  }
}
