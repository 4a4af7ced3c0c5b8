import NIOCore

/// Runs tasks on a client's event loop, so that their calls reach the connection without changing threads:
///
///     Task(executorPreference: client.taskExecutor) { try await client.ping() }
///
/// Such tasks share the loop with the connection and must never block.
public final class EventLoopTaskExecutor: TaskExecutor {
  private let eventLoop: any EventLoop

  init(_ eventLoop: any EventLoop) {
    self.eventLoop = eventLoop
  }

  /// Queues a piece of a task on the loop.
  public func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    eventLoop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
  }
}
