import ArgumentParser
import JobBrokerClient

struct Resume: BrokerCommand {
  static let configuration = CommandConfiguration(
    abstract: "Allow claims of a type again.",
    discussion: """
      Example:
        jobctl resume ingest
      """)

  @OptionGroup var broker: BrokerOptions

  @Argument(help: "The job type.")
  var type: String

  func run(_ client: JobBrokerClient, _ printer: Printer) async throws {
    try await client.resume(type: type)
    printer.line(JSONLine { $0.add("resumed", type) }, "\(type) resumed")
  }
}
