import JobModel
import Synchronization

/// What is known of a session off its loop.
final class SharedState: Sendable {
  /// The hello's request id; calls count on from here.
  static let helloID: UInt64 = 1

  private let lastID = Atomic(helloID)
  private let state = Mutex((welcome: Welcome(server: ""), ending: JobError?.none))

  /// A request id that was not used before.
  func newID() -> UInt64 { lastID.wrappingAdd(1, ordering: .relaxed).newValue }

  /// What the broker last said on being greeted.
  var welcome: Welcome { state.withLock { $0.welcome } }

  /// Why the session ended; nil while it goes on.
  var ending: JobError? { state.withLock { $0.ending } }

  func connected(_ welcome: Welcome) {
    state.withLock { $0.welcome = welcome }
  }

  func ended(_ error: JobError) {
    state.withLock { $0.ending = error }
  }
}
