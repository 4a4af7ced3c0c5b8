import CSQLite
import Dispatch
import JobModel
import Synchronization

/// Looks for damage in a database, for a bounded time.
enum QuickCheck {
  enum Outcome: Equatable {
    case sound
    case damaged(String)
    /// No damage was found until the time was up.
    case cut
  }

  /// SQLite's quick check, interrupted when it takes longer than `limit`. (`CSQLite` has no progress handler.)
  static func run(on connection: Connection, limit: Duration) throws(SQLiteError) -> Outcome {
    let interrupter = Interrupter(connection)
    let milliseconds = Int(limit.milliseconds)
    DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(milliseconds)) { interrupter.fire() }
    let answer: String?
    do {
      answer = try connection.text("PRAGMA quick_check(1)")
    } catch {
      if interrupter.disarm() { return .cut }
      throw error
    }
    // What is said of the pages that it did not get to means nothing.
    if interrupter.disarm() { return .cut }
    return answer == "ok" ? .sound : .damaged(answer ?? "no answer")
  }

  /// Interrupts a connection, once and only until it is disarmed.
  private final class Interrupter: Sendable {
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

    /// From here on the connection is safe; true when it was interrupted.
    func disarm() -> Bool {
      state.withLock { state in
        state.connection = nil
        return state.hasFired
      }
    }
  }
}
