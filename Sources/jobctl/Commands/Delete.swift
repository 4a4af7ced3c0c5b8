import ArgumentParser
import JobBrokerClient

struct Delete: BrokerCommand {
  static let configuration = CommandConfiguration(
    abstract: "Remove jobs, whatever their status.",
    discussion: """
      Example:
        jobctl delete 0193a5b2-7c1d
      """)

  @OptionGroup var broker: BrokerOptions

  @Argument(help: "The jobs' ids, or the beginnings of them.")
  var jobs: [JobReference]

  func run(_ client: JobBrokerClient, _ printer: Printer) async throws {
    try await client.forEach(jobs) { (id) throws(JobError) in
      try await client.delete(id)
      printer.line(JSONLine { $0.add("deleted", id.description) }, "\(id) deleted")
    }
  }
}
