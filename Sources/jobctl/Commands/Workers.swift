import ArgumentParser
import JobBrokerClient

struct Workers: BrokerCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show who is connected, waits for what and holds what.",
    discussion: """
      Example:
        jobctl workers
      """)

  @OptionGroup var broker: BrokerOptions

  func run(_ client: JobBrokerClient, _ printer: Printer) async throws {
    let list = try await client.workers()
    let workers = list.workers
    if list.isTruncated {
      printer.note("There are more than these; the list is cut to what a reply can hold.")
    }
    guard !printer.json else {
      for worker in workers { printer.object(JSONLine(worker)) }
      return
    }
    let now = Timestamp.now
    var table = Table(
      .text("NAME"), .right("PID", goes: 4), .right("UID", goes: 1), .text("CLIENT", goes: 2),
      .left("CONNECTED", goes: 3), .text("WAITS FOR"), .text("HOLDS"))
    for worker in workers {
      let waits = worker.waitingTypes.isEmpty ? "any job" : worker.waitingTypes.joined(separator: ", ")
      let holds = worker.holds.map { "\($0.type) \($0.claim.id)" }.joined(separator: ", ")
      table.rows.append([
        Styled(worker.identity.name), Styled("\(worker.identity.pid)"), Styled("\(worker.identity.uid)"),
        Styled(worker.client, .dim), Styled(Quantity.relative(worker.connectedAt, to: now), .dim),
        Styled(worker.isWaiting ? waits : ""), Styled(holds, .cyan),
      ])
    }
    printer.table(table)
  }
}
