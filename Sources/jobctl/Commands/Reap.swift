import ArgumentParser
import JobBrokerClient

struct Reap: BrokerCommand {
  static let configuration = CommandConfiguration(
    abstract: "Fail jobs whose worker has shown no sign of life for a time.",
    discussion: """
      Leases do this by themselves; reaping is for jobs whose lease is long.

      Example:
        jobctl reap --timeout 10m --type ingest
      """)
  static let mayTakeLong = true

  @OptionGroup var broker: BrokerOptions
  @OptionGroup var ofType: TypeOption

  @Option(
    help: ArgumentHelp("The time without a sign of life, as in 10m.", valueName: "duration"),
    transform: DurationText.parse)
  var timeout: Duration

  func run(_ client: JobBrokerClient, _ printer: Printer) async throws {
    let count = try await client.reap(timeout: timeout, type: ofType.type)
    printer.line(JSONLine { $0.add("reaped", count) }, "\(count) reaped")
  }
}
