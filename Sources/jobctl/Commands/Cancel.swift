import ArgumentParser
import JobBrokerClient

struct Cancel: BrokerCommand {
  static let configuration = CommandConfiguration(
    abstract: "Call jobs off.",
    discussion: """
      The worker that holds a job is told at once. A finished job stays as it is.

      Example:
        jobctl cancel 0193a5b2-7c1d
      """)

  @OptionGroup var broker: BrokerOptions

  @Argument(help: "The jobs' ids, or the beginnings of them.")
  var jobs: [JobReference]

  func run(_ client: JobBrokerClient, _ printer: Printer) async throws {
    try await client.forEach(jobs) { (id) throws(JobError) in printer.changed(try await client.cancel(id)) }
  }
}
