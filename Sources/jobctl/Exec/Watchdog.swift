import Subprocess

/// Sees to it that programs do not outlive a jobctl that was killed with SIGKILL, which no handler can answer: a
/// shell that reads the groups to watch from a pipe, and kills those that are left when the pipe ends.
///
/// PR_SET_PDEATHSIG (prctl(2)) would not do: it follows the thread that started the program, and reaches none of
/// the processes that the program itself started.
struct Watchdog: Sendable {
  private let writer: StandardInputWriter

  private static let script = """
    trap '' HUP INT TERM
    groups=' '
    while read -r verb group; do
      case $verb in
        watch) groups="$groups$group " ;;
        forget) groups="${groups%% $group *} ${groups#* $group }" ;;
      esac
    done
    for group in $groups; do kill -KILL "-$group"; done
    """

  /// Runs a body that is given a watchdog.
  static func guarding<Result: Sendable>(
    _ body: (Watchdog) async throws -> Result
  ) async throws -> Result {
    var options = PlatformOptions()
    // Out of reach of a Ctrl-C at the terminal.
    options.processGroupID = 0
    return try await Subprocess.run(
      .path("/bin/sh"), arguments: ["-c", script], platformOptions: options, input: .inputWriter,
      output: .discarded, error: .discarded
    ) { execution in
      try await body(Watchdog(writer: execution.standardInputWriter))
    }.closureResult
  }

  /// Kills this group if jobctl dies.
  func watch(_ group: ProcessGroup) async {
    _ = try? await writer.write("watch \(group.id)\n")
  }

  /// The group is gone.
  func forget(_ group: ProcessGroup) async {
    _ = try? await writer.write("forget \(group.id)\n")
  }
}
