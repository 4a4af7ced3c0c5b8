import ArgumentParser
import JobBrokerClient

/// The operator's tool, the shell's client, and `jobctl work`, which makes a worker of any program.
@main
struct Jobctl: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "jobctl",
    abstract: "Create, watch and work on jobs of the broker on this host.",
    discussion: """
      Examples:
        jobctl create --type ingest --metadata '{"file":"talk.wav"}' --wait
        jobctl list --status failed
        jobctl watch
        jobctl work --type ingest -- ./ingest.sh

      A job's id may be shortened to any prefix that only it has.
      With --json every command prints one JSON object a line.
      Exit status: 0 done, 1 the broker said no (or the job did not succeed), 2 usage, 3 no broker.
      Shell completions: jobctl --generate-completion-script bash|zsh|fish
      """,
    version: jobBrokerVersion,
    groupedSubcommands: [
      CommandGroup(
        name: "Job",
        subcommands: [
          Create.self, Get.self, List.self, Watch.self, Position.self, Cancel.self, Retry.self, Release.self,
          Complete.self, Fail.self, Update.self, Delete.self,
        ]),
      CommandGroup(name: "Worker", subcommands: [Work.self, Workers.self, Pause.self, Resume.self]),
      CommandGroup(
        name: "Broker",
        subcommands: [Ping.self, Stats.self, Reap.self, Prune.self, Backup.self, Bench.self]),
    ])

  static func main() async {
    StandardStream.reserve()
    do {
      try requireText()
      var command = try parseAsRoot()
      if var asynchronous = command as? any AsyncParsableCommand {
        try await asynchronous.run()
      } else {
        try command.run()
      }
    } catch {
      let ending = Ending(of: error)
      if let text = ending.output { StandardStream.output.write(text + "\n") }
      if let text = ending.complaint { StandardStream.error.write(text + "\n") }
      ending.status.endProcess()
    }
  }

  /// Swift's arguments are text: bytes that are none would silently become others.
  private static func requireText() throws {
    for (place, argument) in CommandLine.unsafeArguments.enumerated()
    where String(validatingCString: argument) == nil {
      throw ValidationError("Argument \(place) is no UTF-8 text.")
    }
  }
}

extension CommandLine {
  /// The arguments as they were given, the program's name first.
  fileprivate static var unsafeArguments: [UnsafePointer<CChar>] {
    (0..<Int(argc)).compactMap { unsafeArgv[$0].map { UnsafePointer($0) } }
  }
}
