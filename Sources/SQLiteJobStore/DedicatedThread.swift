import Dispatch
import Glibc
import Synchronization

/// A thread of its own for an actor, and for tasks that prefer it: SQLite's calls block, and would starve Swift's
/// pool of one thread a core. The thread ends when nothing refers to this object any more.
final class DedicatedThread: SerialExecutor, TaskExecutor {
  private let inbox = Inbox()

  /// Starts the thread.
  init() {
    var thread = pthread_t()
    let code = pthread_create(
      &thread, nil,
      { argument in
        // `pthread_create` passes what it was given, which was retained for this thread alone.
        Unmanaged<Inbox>.fromOpaque(argument!).takeRetainedValue().runUntilClosed()
        return nil
      }, Unmanaged.passRetained(inbox).toOpaque())
    precondition(code == 0, "cannot start a thread: \(String(cString: strerror(code)))")
    pthread_detach(thread)
  }

  deinit { inbox.close() }

  func enqueue(_ job: consuming ExecutorJob) { inbox.append(UnownedJob(job), for: self) }
}

/// What a thread has to run. Outlives the `DedicatedThread`, whose last reference may be let go on that very thread.
private final class Inbox: Sendable {
  private struct State {
    /// Each job with the executor it runs on, which must not end before it has run.
    var jobs: [(job: UnownedJob, thread: DedicatedThread)] = []
    var isClosed = false
  }

  private let state = Mutex(State())
  private let wake = DispatchSemaphore(value: 0)

  func append(_ job: UnownedJob, for thread: DedicatedThread) {
    let wasEmpty = state.withLock { state in
      defer { state.jobs.append((job, thread)) }
      return state.jobs.isEmpty
    }
    if wasEmpty { wake.signal() }
  }

  func close() {
    state.withLock { $0.isClosed = true }
    wake.signal()
  }

  func runUntilClosed() {
    while true {
      wake.wait()
      let (jobs, isClosed) = state.withLock { state in
        let jobs = state.jobs
        state.jobs = []
        return (jobs, state.isClosed)
      }
      for (job, thread) in jobs {
        job.runSynchronously(
          isolatedTo: thread.asUnownedSerialExecutor(), taskExecutor: thread.asUnownedTaskExecutor())
      }
      // Once closed nothing more can come: every job holds a reference that would have kept it open.
      if isClosed { return }
    }
  }
}
