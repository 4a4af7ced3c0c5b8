import ArgumentParser
import Glibc
import JobBrokerClient

struct Backup: BrokerCommand {
  static let configuration = CommandConfiguration(
    abstract: "Copy the broker's store to a new file.",
    discussion: """
      The broker writes the file while it goes on serving; the copy is consistent. It must be allowed to write there: \
      as a service of systemd only in its own directory.

      Example:
        jobctl backup /var/lib/jobbroker/jobs-2026-11-23.db
      """)
  static let mayTakeLong = true

  @OptionGroup var broker: BrokerOptions

  @Argument(help: "The new file.", completion: .file())
  var path: String

  func run(_ client: JobBrokerClient, _ printer: Printer) async throws {
    let target = absolute(path)
    try await client.backup(to: target)
    printer.line(JSONLine { $0.add("backup", target) }, "backed up to \(target)")
  }

  /// The broker's working directory is another.
  private func absolute(_ path: String) -> String {
    guard !path.hasPrefix("/"), let directory = getcwd(nil, 0) else { return path }
    defer { free(directory) }
    return "\(String(cString: directory))/\(path)"
  }
}
