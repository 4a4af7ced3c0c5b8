import CSystem
import Glibc

/// Starts programs.
enum Spawn {
  enum Stream {
    case null
    /// Appended to.
    case file(String)
    case descriptor(Int32)
  }

  /// Starts a program in a process group of its own, so that Ctrl-C reaches only us, who will stop it.
  static func start(_ words: [String], input: Stream, output: Stream, error: Stream) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for (descriptor, stream) in [(Int32(0), input), (1, output), (2, error)] {
      switch stream {
      case .null: posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_RDWR, 0)
      case .file(let path):
        posix_spawn_file_actions_addopen(&actions, descriptor, path, O_WRONLY | O_CREAT | O_APPEND, 0o600)
      case .descriptor(let source): posix_spawn_file_actions_adddup2(&actions, source, descriptor)
      }
    }
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var noSignals = sigset_t()
    sigemptyset(&noSignals)
    posix_spawnattr_setsigmask(&attributes, &noSignals)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK))

    var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    var pid: pid_t = 0
    let error = posix_spawnp(&pid, words[0], &actions, &attributes, &arguments, environ)
    guard error == 0 else { throw Failure("\(words[0]): \(String(cString: strerror(error)))") }
    return pid
  }
}
