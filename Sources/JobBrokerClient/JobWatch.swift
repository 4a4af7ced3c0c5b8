/// What a watch tells.
public enum WatchEvent: Sendable, Equatable {
  /// The state from which the changes that follow count. `truncated`: more unfinished jobs than a snapshot holds.
  case snapshot([Job], truncated: Bool)
  /// The job as it is now, without its metadata.
  case changed(Job)
  /// The job was deleted.
  case deleted(JobID)
  /// Changes were missed (the connection was lost, or the reader was too slow): a new snapshot follows.
  case interrupted
}

/// The jobs a watch covers, as they change: first a snapshot, then every change, with no gap between. One reader.
public final class JobWatch: AsyncSequence, Sendable {
  public typealias Element = WatchEvent
  public typealias Failure = JobError

  /// Reads the events.
  public struct AsyncIterator: AsyncIteratorProtocol {
    /// The next event; nil when the reading task is cancelled or the client was closed.
    public mutating func next(isolation: isolated (any Actor)? = #isolation) async throws(JobError) -> WatchEvent? {
      fatalError()
    }
  }

  /// The reader of this watch.
  public func makeAsyncIterator() -> AsyncIterator { AsyncIterator() }
}
