import CSpawn
import Foundation
import Synchronization

/// A child process whose lines of output can be waited for. It does not outlive this object, however a test ends.
public final class ChildProcess: Sendable {
  /// The process ended before it did what was waited for.
  public struct Ended: Error, CustomStringConvertible {
    /// In words.
    public let description: String

    /// - Parameter description: In words.
    public init(description: String) { self.description = description }
  }

  /// Its process id.
  public let pid: pid_t
  private let output: LineReader
  private let errors: LineReader
  private let lifetime: Lifetime
  private let directory: TemporaryDirectory?

  /// Starts a program.
  ///
  /// - Parameters:
  ///   - environment: Is laid over that of this process.
  ///   - input: Its standard input; /dev/null unless given.
  ///   - directory: What it works in, which is kept as long as it runs.
  public init(
    _ program: String, _ arguments: [String], environment: [String: String] = [:], input: FileHandle? = nil,
    in directory: TemporaryDirectory? = nil
  ) throws {
    self.directory = directory
    var (stdout, stderr): ([Int32], [Int32]) = ([-1, -1], [-1, -1])
    guard spawn_pipe(&stdout) == 0, spawn_pipe(&stderr) == 0 else {
      throw Ended(description: "cannot start \(program): there is no pipe for its output")
    }
    // Each is read to its end, which comes at once where there is no child to write to it.
    output = LineReader(stdout[0])
    errors = LineReader(stderr[0])
    defer { for end in [stdout[1], stderr[1]] { close(end) } }
    let files = [input?.fileDescriptor, stdout[1], stderr[1]]
    lifetime = try Lifetime { try spawn([program] + arguments, environment: environment, files: files) }
    pid = lifetime.pid
  }

  // It is waited for, so that it makes no file in a directory that is being removed.
  deinit { lifetime.kill() }

  /// The next line of standard output that begins with `prefix`.
  ///
  /// - Throws: `Ended`, when there is none.
  public func line(beginning prefix: String) async throws -> String {
    while let line = await output.next() {
      if line.hasPrefix(prefix) { return line }
    }
    throw Ended(description: "ended without a line '\(prefix)…': \(await allErrors())")
  }

  /// The rest of standard output, once the process has closed it.
  public func allOutput() async -> String { await output.rest() }

  /// The rest of standard error, once the process has closed it.
  public func allErrors() async -> String { await errors.rest() }

  /// Whether it has not ended.
  public var isRunning: Bool { lifetime.isRunning }

  /// Sends a signal, unless it has ended.
  public func send(_ signal: Int32) { lifetime.send(signal) }

  /// Stops it, and returns when all its threads stand still: one that runs goes on until another has taken the signal.
  public func suspend() {
    send(SIGSTOP)
    var info = siginfo_t()
    _ = waitid(P_PID, id_t(pid), &info, WSTOPPED)
  }

  /// Waits for the end: the exit code, or the negative number of the signal that killed it.
  @discardableResult
  public func waitForExit() async -> Int32 { await lifetime.exit.value }

  /// Sends a signal and waits for the end.
  @discardableResult
  public func stop(_ signal: Int32 = SIGTERM) async -> Int32 {
    send(signal)
    return await waitForExit()
  }
}

/// From the start of a process to its end. The pid is signalled only while nobody else can have it.
private final class Lifetime: Sendable {
  let pid: pid_t
  let exit: Task<Int32, Never>
  private let state = State()

  private final class State: Sendable {
    let pid = Mutex<Result<pid_t, any Error>?>(nil)
    let hasPid = DispatchSemaphore(value: 0)
    let isRunning = Mutex(true)
    let end = DispatchGroup()
  }

  /// - Parameter spawn: starts it.
  init(_ spawn: @escaping @Sendable () throws -> pid_t) throws {
    let (ended, continuation) = AsyncStream.makeStream(of: Int32.self)
    exit = Task { await ended.first { _ in true } ?? -1 }
    // The thread that starts it stays until its end: to one that asks to die with its parent (PR_SET_PDEATHSIG, prctl(2))
    // the parent is that thread.
    state.end.enter()
    Thread.detachNewThread { [state] in
      defer { state.end.leave() }
      let outcome = Result { try spawn() }
      state.pid.withLock { $0 = outcome }
      state.hasPid.signal()
      if let pid = try? outcome.get() { continuation.yield(Self.wait(for: pid, state)) }
      continuation.finish()
    }
    state.hasPid.wait()
    pid = try state.pid.withLock { $0 }?.get() ?? -1
  }

  /// Its exit code, when it has ended. It stays a zombie until nobody is about to signal it.
  private static func wait(for pid: pid_t, _ state: State) -> Int32 {
    var info = siginfo_t()
    while waitid(P_PID, id_t(pid), &info, WEXITED | WNOWAIT) != 0 && errno == EINTR {}
    return state.isRunning.withLock {
      $0 = false
      return reap(pid)
    }
  }

  var isRunning: Bool { state.isRunning.withLock { $0 } }

  func send(_ signal: Int32) {
    state.isRunning.withLock { isRunning in
      if isRunning { Foundation.kill(pid, signal) }
    }
  }

  /// Ends it, and returns when it has ended.
  func kill() {
    send(SIGKILL)
    state.end.wait()
  }
}
