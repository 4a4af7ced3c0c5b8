import ArgumentParser
import JobBrokerClient

struct Pause: BrokerCommand {
  static let configuration = CommandConfiguration(
    abstract: "Stop claims of a type.",
    discussion: """
      Jobs that are being worked on go on; the others wait until `jobctl resume`, also when the broker is restarted.

      Example:
        jobctl pause ingest
      """)

  @OptionGroup var broker: BrokerOptions

  @Argument(help: "The job type.")
  var type: String

  func run(_ client: JobBrokerClient, _ printer: Printer) async throws {
    try await client.pause(type: type)
    printer.line(JSONLine { $0.add("paused", type) }, "\(type) paused")
  }
}
