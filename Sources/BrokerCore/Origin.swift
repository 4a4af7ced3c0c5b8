import JobModel

/// What made the core want something, which decides when it may be told: nobody shall learn of what a power cut may undo,
/// unless it costs nobody work.
public enum Origin: Sendable {
  /// A request, or the passing of time.
  case input
  /// The end of a watch. Its events may wait for the disk, and none may follow.
  case endOfWatch
  /// A transaction; it is told when that is durable.
  case durableResult
  /// A transaction, but nobody loses work if a power cut undoes it; it is told at once.
  case volatileResult
  /// A read, which may have seen what is not durable yet.
  case answer

  /// Whether a reply must wait until all that the store has committed so far is durable. Events never overtake those of
  /// earlier transactions, nor does a snapshot, which shows what those did.
  ///
  /// - Parameter isDirty: whether any of it is not, or a transaction is being run.
  public func mustWait(_ reply: Reply, isDirty: Bool) -> Bool {
    switch self {
    case .durableResult: true
    case .volatileResult: reply.isEvent || reply.isSnapshot
    case .input: reply.isEvent && isDirty
    case .endOfWatch, .answer: isDirty
    }
  }
}

extension Reply {
  /// Whether it tells of a change that another request made.
  public var isEvent: Bool {
    switch self {
    case .event, .revoked: true
    default: false
    }
  }

  /// Whether a watch begins with it.
  public var isSnapshot: Bool { if case .snapshot = self { true } else { false } }
}
