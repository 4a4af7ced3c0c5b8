import ArgumentParser
import JobBrokerClient

struct Get: BrokerCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show everything about a job.",
    discussion: """
      Examples:
        jobctl get 0193a5b2-7c1d
        jobctl get 0193a5b2-7c1d --json | jq .result
      """)

  @OptionGroup var broker: BrokerOptions

  @Argument(help: "The job's id, or the beginning of it.")
  var job: JobReference

  func run(_ client: JobBrokerClient, _ printer: Printer) async throws {
    let id = try await client.resolve(job)
    guard let job = try await client.get(id) else { throw JobError.notFound(id) }
    if printer.json {
      printer.object(JSONLine(job))
    } else {
      let position = job.status == .pending ? try await client.position(id) : nil
      StandardStream.output.write(
        JobText.details(job, position: position, now: .now, terminal: printer.terminal))
    }
  }
}
