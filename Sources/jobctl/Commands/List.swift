import ArgumentParser
import JobBrokerClient

struct List: BrokerCommand {
  static let configuration = CommandConfiguration(
    abstract: "List jobs, newest first.",
    discussion: """
      Examples:
        jobctl list --status failed --type ingest
        jobctl list --all --json | jq -r 'select(.retry_count > 0) | .id'
      """)

  @OptionGroup var broker: BrokerOptions
  @OptionGroup var ofType: TypeOption

  @Option(help: "Only jobs of this status.")
  var status: JobStatus?

  @Option(help: ArgumentHelp("Only ids that begin so.", valueName: "prefix"))
  var id: JobReference?

  @Option(help: "At most this many. (default: 50)")
  var limit: Int?

  @Flag(help: "All of them.")
  var all = false

  func validate() throws {
    guard limit ?? 1 >= 1 else { throw ValidationError("--limit is 1 or more.") }
    guard !all || limit == nil else { throw ValidationError("--all and --limit exclude each other.") }
  }

  func run(_ client: JobBrokerClient, _ printer: Printer) async throws {
    var filter = JobFilter(status: status, type: ofType.type, idPrefix: id?.digits)
    var left = all ? Int.max : limit ?? 50
    var jobs: [Job] = []
    repeat {
      filter.limit = min(left, Limits.page)
      let page = try await client.list(filter)
      filter.cursor = page.nextCursor
      left -= page.jobs.count
      // A script gets each page as it comes; a table is as wide as its widest row.
      if printer.json { printer.jobs(page.jobs) } else { jobs += page.jobs }
    } while filter.cursor != nil && left > 0
    if !printer.json { printer.jobs(jobs) }
    if filter.cursor != nil { printer.note("there are more; see --limit and --all") }
  }
}
