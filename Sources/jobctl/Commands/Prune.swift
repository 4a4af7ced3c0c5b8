import ArgumentParser
import JobBrokerClient

struct Prune: BrokerCommand {
  static let configuration = CommandConfiguration(
    abstract: "Delete finished jobs.",
    discussion: """
      Examples:
        jobctl prune --older-than 30d
        jobctl prune --older-than 1h --status complete --type preview
      """)
  static let mayTakeLong = true

  @OptionGroup var broker: BrokerOptions
  @OptionGroup var ofType: TypeOption

  @Option(
    help: ArgumentHelp("Only those that finished at least this long ago, as in 30d.", valueName: "duration"),
    transform: DurationText.parse)
  var olderThan: Duration

  @Option(help: "Only this status: complete, failed or cancelled.")
  var status: JobStatus?

  func validate() throws {
    guard status?.isFinished ?? true else {
      throw ValidationError("Only complete, failed and cancelled jobs are pruned.")
    }
  }

  func run(_ client: JobBrokerClient, _ printer: Printer) async throws {
    let count = try await client.prune(olderThan: olderThan, status: status, type: ofType.type)
    printer.line(JSONLine { $0.add("pruned", count) }, "\(count) pruned")
  }
}
