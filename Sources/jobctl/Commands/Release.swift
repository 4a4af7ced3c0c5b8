import ArgumentParser
import JobBrokerClient

struct Release: BrokerCommand {
  static let configuration = CommandConfiguration(
    abstract: "Take a job from its worker and give it back to the queue.",
    discussion: """
      No retry is counted.

      Examples:
        jobctl release 0193a5b2-7c1d
        jobctl release 0193a5b2-7c1d --delay 5m
      """)

  @OptionGroup var broker: BrokerOptions
  @OptionGroup var fence: FenceOption

  @Argument(help: "The job's id, or the beginning of it.")
  var job: JobReference

  @Option(help: "How long it is not to be claimed, as in 5m.", transform: DurationText.parse)
  var delay: Duration = .zero

  func run(_ client: JobBrokerClient, _ printer: Printer) async throws {
    let id = try await client.resolve(job)
    printer.changed(try await client.release(id, delay: delay, attempt: fence.attempt))
  }
}
