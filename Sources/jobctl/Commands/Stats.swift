import ArgumentParser
import JobBrokerClient

struct Stats: BrokerCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show the broker's counters.",
    discussion: """
      Examples:
        jobctl stats
        jobctl stats --json | jq '.types[] | select(.pending > 100)'
      """)

  @OptionGroup var broker: BrokerOptions

  func run(_ client: JobBrokerClient, _ printer: Printer) async throws {
    let stats = try await client.stats()
    guard !printer.json else { return printer.object(JSONLine(stats)) }
    printer.text(
      """
      \(Styled(stats.server).text) (pid \(stats.pid)), up \(Quantity.duration(stats.uptime)), store \
      \(Styled(stats.store).text)
      \(Quantity.duration(stats.cpu)) CPU, \(Quantity.bytes(stats.residentBytes)) memory, \
      \(Quantity.grouped(stats.commands)) commands in \(Quantity.grouped(stats.commits)) commits
      \(stats.connections) connections, \(stats.waitingClaims) waiting claims, \(stats.watches) watches
      """)
    var table = Table(
      .text("TYPE"), .right("PENDING"), .right("PROCESSING"), .right("COMPLETE"), .right("FAILED"),
      .right("CANCELLED"), .left("CLAIMS"))
    for type in stats.types {
      table.rows.append(
        [Styled(type.type)]
          + JobStatus.allCases.map { Styled(Quantity.grouped(type.counts[$0, default: 0])) }
          + [type.isPaused ? Styled("paused", .yellow) : Styled("")])
    }
    if !table.rows.isEmpty {
      printer.text("")
      printer.table(table)
      if stats.isTruncated {
        printer.text("There are more types; the list is cut to what a reply can hold.")
      }
    }
  }
}
