import ArgumentParser
import JobBrokerClient

struct Fail: BrokerCommand {
  static let configuration = CommandConfiguration(
    abstract: "Finish a job without success.",
    discussion: """
      Example:
        jobctl fail 0193a5b2-7c1d --error 'the source is gone'
      """)

  @OptionGroup var broker: BrokerOptions
  @OptionGroup var fence: FenceOption

  @Argument(help: "The job's id, or the beginning of it.")
  var job: JobReference

  @Option(help: ArgumentHelp("Why, for a person.", valueName: "text"))
  var error: String

  @Flag(help: "Let it go back to the queue while it has retries left.")
  var retryable = false

  func run(_ client: JobBrokerClient, _ printer: Printer) async throws {
    let id = try await client.resolve(job)
    printer.changed(
      try await client.fail(id, error: error, retryable: retryable, attempt: fence.attempt))
  }
}
