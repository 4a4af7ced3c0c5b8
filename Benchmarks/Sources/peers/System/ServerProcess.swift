import Glibc

/// A server that this program started, and will stop by its id.
final class ServerProcess {
  let pid: pid_t
  private let log: String
  private let stopSignal: Int32
  private var isRunning = true

  /// Starts a program, which the kernel ends if we are killed.
  ///
  /// - Parameters:
  ///   - user: whose rights it gets, when we are root.
  ///   - log: takes its output.
  ///   - stopSignal: makes it end in order.
  init(
    _ arguments: [String], user: (uid: uid_t, gid: gid_t)? = nil, log: String, stopSignal: Int32 = SIGTERM
  ) throws {
    self.log = log
    self.stopSignal = stopSignal
    var words = ["setpriv", "--pdeathsig", "KILL"]
    if let user { words += ["--reuid", "\(user.uid)", "--regid", "\(user.gid)", "--clear-groups"] }
    pid = try Spawn.start(words + arguments, input: .null, output: .file(log), error: .file(log))
  }

  /// Runs a program to its end.
  ///
  /// - Throws: `Failure` with the program's last words if it does not end with 0.
  static func run(_ arguments: [String], user: (uid: uid_t, gid: gid_t)? = nil, log: String) throws {
    let process = try ServerProcess(arguments, user: user, log: log)
    var status: Int32 = 0
    while waitpid(process.pid, &status, 0) < 0 && errno == EINTR {}
    process.isRunning = false
    guard status == 0 else { throw Failure("\(arguments[0]) failed: \(process.lastWords)") }
  }

  /// Tries `attempt` until it succeeds.
  ///
  /// - Throws: `Failure` if the server ends, or is not ready within a minute.
  func waitUntilReady(_ attempt: () throws -> Void) throws {
    let deadline = Clock.now + 60 * Clock.second
    while true {
      do { return try attempt() } catch let error as Failure {
        guard !hasEnded, Clock.now < deadline else {
          throw Failure("\(error); the server's log: \(lastWords)")
        }
      }
      try Interrupt.wait(milliseconds: 1)
    }
  }

  private var hasEnded: Bool {
    if isRunning, waitpid(pid, nil, WNOHANG) == pid { isRunning = false }
    return !isRunning
  }

  /// Asks it to end, and makes it after 10 s.
  func stop() {
    guard !hasEnded else { return }
    kill(pid, stopSignal)
    let deadline = Clock.now + 10 * Clock.second
    while !hasEnded {
      if Clock.now > deadline { kill(pid, SIGKILL) }
      usleep(1000)
    }
  }

  /// CPU time of the process and its children, in microseconds.
  var cpuMicroseconds: UInt64 { ProcessTimes.ofTree(pid) }

  private var lastWords: String {
    guard let file = fopen(log, "r") else { return "" }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 4096)
    if fseek(file, -4096, SEEK_END) != 0 { rewind(file) }
    let count = fread(&bytes, 1, bytes.count, file)
    return String(decoding: bytes[..<count], as: UTF8.self)
  }
}
