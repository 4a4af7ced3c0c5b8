import ArgumentParser
import JobBrokerClient

struct Watch: BrokerCommand {
  static let configuration = CommandConfiguration(
    abstract: "Follow jobs as they change.",
    discussion: """
      On a terminal: a bar for each job, redrawn in place, until Ctrl-C. Otherwise a line for each change. With \
      --json an event a line: "snapshot" with a job for each that is there, then "current"; from there on "changed" \
      with a job, "deleted" with an id, and "interrupted" before a new snapshot.

      Examples:
        jobctl watch
        jobctl watch --type ingest --type preview
        jobctl watch 0193a5b2-7c1d --until-finished
      """)
  static let outlivesBroker = true

  @OptionGroup var broker: BrokerOptions

  @Argument(help: "Jobs to follow: ids, or the beginnings of them. With neither jobs nor types, every job.")
  var jobs: [JobReference] = []

  @Option(
    name: .customLong("type"),
    help: ArgumentHelp("Follow the jobs of this type; repeat it for more.", valueName: "type"))
  var types: [String] = []

  @Flag(help: "End when the jobs named are finished; exit status 1 unless all of them are complete.")
  var untilFinished = false

  func validate() throws {
    guard !untilFinished || !jobs.isEmpty else {
      throw ValidationError("--until-finished needs jobs to wait for.")
    }
  }

  func run(_ client: JobBrokerClient, _ printer: Printer) async throws {
    let ids = Set(try await client.resolve(jobs))
    let follow = Follow(client: client, printer: printer, until: untilFinished ? ids : nil)
    let board = try await follow.run(WatchSelection(ids: ids, types: Set(types.map { TypeName($0) })))
    if untilFinished { try board.requireComplete(ids, printer) }
  }
}
