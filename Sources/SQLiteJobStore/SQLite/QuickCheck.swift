import CSQLite
import Dispatch
import JobModel

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
}
