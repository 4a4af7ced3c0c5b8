import Subprocess

/// Sees to it that programs do not outlive a jobctl that was killed with SIGKILL, which no handler can answer: a
/// shell that reads the groups to watch from a pipe, and when the pipe ends kills those that are left and removes a
/// directory, if there is one to be removed.
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
    [ $# -eq 0 ] || rm -rf -- "$1"
    """

  /// Runs a body that is given a watchdog.
  ///
  /// - Parameter directory: is removed when the body has ended, however that is.
  static func guarding<Value: Sendable>(
    removing directory: String? = nil, _ body: (Watchdog) async throws -> Value
  ) async throws -> Value {
    BrokenPipe.ignore()
    var options = PlatformOptions()
    // Out of reach of a Ctrl-C at the terminal.
    options.processGroupID = 0
    let arguments = ["-c", script, "watchdog"] + (directory.map { [$0] } ?? [])
    return try await Subprocess.run(
      .path("/bin/sh"), arguments: Arguments(arguments), platformOptions: options, input: .inputWriter,
      output: .discarded, error: .discarded
    ) { execution -> Result<Value, any Error> in
      // Were it to throw here, the watchdog would be killed before its work is done.
      do {
        return .success(try await body(Watchdog(writer: execution.standardInputWriter)))
      } catch {
        return .failure(error)
      }
    }.closureResult.get()
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
