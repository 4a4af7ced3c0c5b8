import ArgumentParser
import JobBrokerClient

struct Position: BrokerCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show a job's place in the queue.",
    discussion: """
      How many pending jobs go before it, those too that wait for a moment or whose type is paused; -1 means that the \
      job is not pending.

      Example:
        jobctl position 0193a5b2-7c1d
      """)

  @OptionGroup var broker: BrokerOptions

  @Argument(help: "The job's id, or the beginning of it.")
  var job: JobReference

  func run(_ client: JobBrokerClient, _ printer: Printer) async throws {
    let id = try await client.resolve(job)
    let position = try await client.position(id)
    // The broker says -1 of a job that it does not know, too.
    if position.overall < 0, try await client.get(id) == nil { throw JobError.notFound(id) }
    printer.line(
      JSONLine {
        $0.add("id", id.description)
        $0.add("position", position.overall)
        $0.add("position_in_type", position.inType)
      },
      position.overall < 0
        ? "-1 (not pending)" : "\(position.overall) in the queue, \(position.inType) in its type")
  }
}
