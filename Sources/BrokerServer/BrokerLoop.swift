import NIOCore
import NIOPosix

/// The broker's thread: an event loop that is an executor too, so that a store whose actor runs on it shares the
/// thread with the sockets. A request then costs no change of thread, whose wake-up takes longer than a transaction.
public final class BrokerLoop: SerialExecutor, TaskExecutor {
  private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)

  /// Starts the thread.
  public init() {}

  var eventLoop: any EventLoop { group.next() }

  /// Runs a job at the end of the loop's present turn.
  public func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    eventLoop.execute { [self] in
      job.runSynchronously(
        isolatedTo: asUnownedSerialExecutor(), taskExecutor: asUnownedTaskExecutor())
    }
  }

  /// Traps on any other thread.
  public func checkIsolated() { eventLoop.preconditionInEventLoop() }

  /// Ends the thread; nothing may run on it afterwards.
  func shutDown() async throws { try await group.shutdownGracefully() }
}
