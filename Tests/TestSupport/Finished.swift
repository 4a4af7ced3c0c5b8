/// How a program ended, and what it said.
public struct Finished: Sendable {
  /// Its exit code, or the negative number of the signal that killed it.
  public let code: Int32
  /// What it wrote to standard output.
  public let output: String
  /// What it wrote to standard error.
  public let errors: String

  /// Runs a program to its end.
  ///
  /// - Parameter environment: Is laid over that of this process.
  public static func running(_ command: [String], environment: [String: String] = [:]) async throws
    -> Finished
  {
    let process = try ChildProcess(command[0], Array(command.dropFirst()), environment: environment)
    let (output, errors) = (await process.allOutput(), await process.allErrors())
    return Finished(code: await process.waitForExit(), output: output, errors: errors)
  }

  /// Runs a program that nobody hears to its end, while the calling thread blocks; returns its exit code.
  public static func exitCode(of command: [String]) throws -> Int32 { reap(try spawn(command)) }
}
