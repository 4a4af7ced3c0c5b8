import Synchronization

/// How many more jobs a worker may take. Its claiming loop is the only one to wait.
final class Places: Sendable {
  private struct State {
    var free: Int
    /// Waits until so many are free.
    var waiter: (count: Int, continuation: CheckedContinuation<Void, Never>)?
  }

  let total: Int
  private let state: Mutex<State>

  init(_ total: Int) {
    self.total = total
    self.state = Mutex(State(free: total))
  }

  var free: Int { state.withLock { $0.free } }

  func take() {
    state.withLock { $0.free -= 1 }
  }

  func giveBack() {
    state.withLock { state in
      state.free += 1
      if let waiter = state.waiter, state.free >= waiter.count {
        state.waiter = nil
        waiter.continuation.resume()
      }
    }
  }

  /// Returns when `count` places are free, or when the calling task is cancelled.
  func wait(for count: Int) async {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isFree = state.withLock { state in
          if state.free < count { state.waiter = (count, continuation) }
          return state.free >= count
        }
        if isFree { continuation.resume() }
        // The handler below may have run before there was a waiter for it to wake.
        if Task.isCancelled { wake() }
      }
    } onCancel: {
      wake()
    }
  }

  private func wake() {
    state.withLock { state in
      state.waiter?.continuation.resume()
      state.waiter = nil
    }
  }
}
