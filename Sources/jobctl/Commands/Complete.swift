import ArgumentParser
import JobBrokerClient

struct Complete: BrokerCommand {
  static let configuration = CommandConfiguration(
    abstract: "Finish a job with success.",
    discussion: """
      For webhooks and operators; a worker's own completion carries its --attempt.

      Example:
        jobctl complete 0193a5b2-7c1d --result '{"url":"https://example.org/a.opus"}'
      """)

  @OptionGroup var broker: BrokerOptions
  @OptionGroup var fence: FenceOption

  @Argument(help: "The job's id, or the beginning of it.")
  var job: JobReference

  @Option(help: ArgumentHelp("What came of it: a JSON object.", valueName: "json"))
  var result: String?

  func run(_ client: JobBrokerClient, _ printer: Printer) async throws {
    let id = try await client.resolve(job)
    printer.changed(try await client.complete(id, result: result, attempt: fence.attempt))
  }
}
