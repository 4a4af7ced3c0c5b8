import CSpawn
import Foundation

/// Starts a program. Foundation's `Process` does this too, but crashes now and then where many are started at once,
/// and takes all tests with it.
///
/// - Parameters:
///   - environment: Is laid over that of this process.
///   - files: Its standard input, output and error; /dev/null where one is nil.
func spawn(
  _ command: [String], environment: [String: String] = [:], files: [Int32?] = [nil, nil, nil]
) throws -> pid_t {
  let whole = ProcessInfo.processInfo.environment.merging(environment) { $1 }
  let pid = withCStrings(command) { arguments in
    withCStrings(whole.map { "\($0)=\($1)" }) { variables in
      spawn_program(command[0], arguments, variables, files.map { $0 ?? -1 })
    }
  }
  guard pid > 0 else {
    throw ChildProcess.Ended(description: "cannot start \(command[0]): \(String(cString: strerror(-pid)))")
  }
  return pid
}

/// Waits for the end of a child: its exit code, or the negative number of the signal that killed it.
func reap(_ pid: pid_t) -> Int32 {
  var status: Int32 = 0
  while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
  let signal = status & 0x7f
  return signal == 0 ? status >> 8 & 0xff : -signal
}

/// Strings as C has them, with a null behind them, for the time of the call.
private func withCStrings<R>(_ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> R) -> R {
  let copies = strings.map { strdup($0) }
  defer { for copy in copies { free(copy) } }
  return body(copies + [nil])
}
