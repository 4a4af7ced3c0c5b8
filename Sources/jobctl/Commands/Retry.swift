import ArgumentParser
import JobBrokerClient

struct Retry: BrokerCommand {
  static let configuration = CommandConfiguration(
    abstract: "Put failed or cancelled jobs back into the queue.",
    discussion: """
      Their automatic retries begin anew.

      Example:
        jobctl retry 0193a5b2-7c1d
      """)

  @OptionGroup var broker: BrokerOptions

  @Argument(help: "The jobs' ids, or the beginnings of them.")
  var jobs: [JobReference]

  func run(_ client: JobBrokerClient, _ printer: Printer) async throws {
    try await client.forEach(jobs) { (id) throws(JobError) in printer.changed(try await client.retry(id)) }
  }
}
