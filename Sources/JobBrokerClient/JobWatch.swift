import JobModel
import NIOCore

/// What a watch tells.
public enum WatchEvent: Sendable, Equatable {
  /// The state from which the changes that follow count. `truncated`: more unfinished jobs than a snapshot holds.
  case snapshot([Job], truncated: Bool)
  /// The job as it is now, without its metadata; when its holder only reported, without its result, too.
  case changed(Job)
  /// The job was deleted.
  case deleted(JobID)
  /// Changes were missed (the connection was lost, or the reader was too slow): a new snapshot follows.
  case interrupted
}

/// The jobs a watch covers, as they change: first a snapshot, then every change, with no gap between. For one
/// reader. The watch ends with this object.
public final class JobWatch: AsyncSequence, Sendable {
  /// What it yields.
  public typealias Element = WatchEvent
  /// UNAVAILABLE when the client was closed or does not reconnect; else what the broker said.
  public typealias Failure = JobError

  private let client: JobBrokerClient
  private let selection: WatchSelection
  private let buffer: WatchBuffer

  init(client: JobBrokerClient, selection: WatchSelection, buffer: WatchBuffer) {
    self.client = client
    self.selection = selection
    self.buffer = buffer
  }

  deinit {
    client.onLoop { [buffer] session in session.unwatch(buffer) }
  }

  /// The reader of this watch.
  public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(watch: self) }

  /// Reads the events.
  public struct AsyncIterator: AsyncIteratorProtocol {
    let watch: JobWatch

    /// The next event; nil when the reading task is cancelled.
    public mutating func next() async throws(JobError) -> WatchEvent? {
      try await next(isolation: nil)
    }

    /// The next event; nil when the reading task is cancelled.
    public mutating func next(
      isolation: isolated (any Actor)?
    ) async throws(JobError) -> WatchEvent? {
      try await watch.next()
    }
  }

  private nonisolated(nonsending) func next() async throws(JobError) -> WatchEvent? {
    switch await buffer.read() {
    case .event(let event): return event
    case .failed(let error): throw error
    case .cancelled: return nil
    case .overflowed:
      client.onLoop { [selection, buffer] session in session.resumeWatch(selection, into: buffer) }
      return .interrupted
    }
  }
}
