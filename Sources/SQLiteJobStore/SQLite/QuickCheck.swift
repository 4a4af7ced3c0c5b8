import CSQLite

/// Looks for damage in a database, for a bounded time.
enum QuickCheck {
  enum Outcome: Equatable {
    case sound
    case damaged(String)
    /// No damage found until the time was up.
    case cut
  }

  /// SQLite's quick check, cut when it takes longer than `limit`.
  static func run(on connection: Connection, limit: Duration) throws(SQLiteError) -> Outcome {
    var deadline = ContinuousClock.now + limit
    let statement = try connection.prepare("PRAGMA quick_check(1)")
    // The pointer is valid for as long as the handler can be called.
    let found: Result<String?, SQLiteError> = withUnsafeMutablePointer(to: &deadline) { deadline in
      sqlite3_progress_handler(
        connection.handle, 1000,
        { context in
          let deadline = context!.assumingMemoryBound(to: ContinuousClock.Instant.self).pointee
          return ContinuousClock.now >= deadline ? 1 : 0
        }, deadline)
      defer { sqlite3_progress_handler(connection.handle, 0, nil, nil) }
      return Result { () throws(SQLiteError) in try statement.first([]) { $0.text(0) } }
    }
    switch found {
    case .success("ok"): return .sound
    case .success(let damage): return .damaged(damage ?? "no answer")
    case .failure(let error) where error.primaryCode == SQLITE_INTERRUPT: return .cut
    case .failure(let error): throw error
    }
  }
}
