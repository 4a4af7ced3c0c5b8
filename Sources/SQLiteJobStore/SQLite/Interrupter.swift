import CSQLite
import Synchronization

/// Interrupts a connection, once and only until it is disarmed.
final class Interrupter: Sendable {
  private struct State {
    var connection: UInt?
    var hasFired = false
  }

  private let state: Mutex<State>

  init(_ connection: Connection) {
    state = Mutex(State(connection: UInt(bitPattern: connection.handle)))
  }

  func fire() {
    state.withLock { state in
      guard let connection = state.connection.flatMap(OpaquePointer.init(bitPattern:)) else { return }
      sqlite3_interrupt(connection)
      state.hasFired = true
    }
  }

  var hasFired: Bool { state.withLock { $0.hasFired } }

  /// From here on the connection is safe; true when it was interrupted.
  func disarm() -> Bool {
    state.withLock { state in
      state.connection = nil
      return state.hasFired
    }
  }
}
