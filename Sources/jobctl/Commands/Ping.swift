import ArgumentParser
import JobBrokerClient

struct Ping: BrokerCommand {
  static let configuration = CommandConfiguration(
    abstract: "Ask the broker for a sign of life.",
    discussion: """
      Example:
        jobctl ping --socket /run/jobbroker/jobbroker.sock
      """)

  @OptionGroup var broker: BrokerOptions

  func run(_ client: JobBrokerClient, _ printer: Printer) async throws {
    let began = ContinuousClock.now
    try await client.ping()
    let time = ContinuousClock.now - began
    let nanoseconds = UInt64(max(time.inSeconds, 0) * 1e9)
    printer.line(
      JSONLine {
        $0.add("server", client.welcome.server)
        $0.add("protocol_version", client.welcome.protocolVersion)
        $0.add("nanoseconds", nanoseconds)
      },
      "\(client.welcome.server) answers in \(Quantity.latency(nanoseconds: nanoseconds, unicode: printer.terminal.hasUnicode))"
    )
  }
}
