import Synchronization

/// Hands values from whoever puts to whoever takes, in order.
final class Mailbox<Value: Sendable>: Sendable {
  private struct State {
    var values: [Value] = []
    var takers: [CheckedContinuation<Value?, Never>] = []
    var isClosed = false
  }

  private let state = Mutex(State())

  /// Values that nobody took yet.
  var count: Int { state.withLock { $0.values.count } }

  func put(_ value: Value) {
    state.withLock { state in
      if state.takers.isEmpty {
        state.values.append(value)
      } else {
        state.takers.removeFirst().resume(returning: value)
      }
    }
  }

  /// The next value; nil when the mailbox was closed and is empty. The cancellation of a test closes it.
  func take() async -> Value? {
    await withTaskCancellationHandler {
      await withCheckedContinuation { taker in
        state.withLock { state in
          if !state.values.isEmpty {
            taker.resume(returning: state.values.removeFirst())
          } else if state.isClosed {
            taker.resume(returning: nil)
          } else {
            state.takers.append(taker)
          }
        }
      }
    } onCancel: {
      close()
    }
  }

  func close() {
    state.withLock { state in
      state.isClosed = true
      for taker in state.takers { taker.resume(returning: nil) }
      state.takers = []
    }
  }
}

/// Opens once; who waits before that waits, who comes later passes. Waiting ends as well when the task is cancelled.
struct Gate: Sendable {
  private let stream: AsyncStream<Void>
  private let continuation: AsyncStream<Void>.Continuation

  init() {
    (stream, continuation) = AsyncStream.makeStream()
  }

  func open() { continuation.finish() }
  func wait() async { for await _ in stream {} }
}
