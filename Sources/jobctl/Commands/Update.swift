import ArgumentParser
import JobBrokerClient

struct Update: BrokerCommand {
  static let configuration = CommandConfiguration(
    abstract: "Change some fields of a job.",
    discussion: """
      What is not named stays as it is.

      Examples:
        jobctl update 0193a5b2-7c1d --stage downloading --progress 40
        jobctl update 0193a5b2-7c1d --clear-stage
      """)

  @OptionGroup var broker: BrokerOptions
  @OptionGroup var fence: FenceOption

  @Argument(help: "The job's id, or the beginning of it.")
  var job: JobReference

  @Option(help: "Its new status.")
  var status: JobStatus?

  @Option(help: "0-100 within the stage.")
  var progress: Double?

  @Option(help: "What is being done.")
  var stage: String?

  @Flag(help: "No stage any more.")
  var clearStage = false

  @Option(help: ArgumentHelp("What came of it: a JSON object.", valueName: "json"))
  var result: String?

  @Option(help: ArgumentHelp("Why it failed.", valueName: "text"))
  var error: String?

  @Option(help: "Automatic retries so far.")
  var retryCount: Int?

  func validate() throws {
    guard stage == nil || !clearStage else {
      throw ValidationError("--stage and --clear-stage exclude each other.")
    }
    if let retryCount { try requireRetries(retryCount, "--retry-count") }
  }

  func run(_ client: JobBrokerClient, _ printer: Printer) async throws {
    let id = try await client.resolve(job)
    let update = JobUpdate(
      status: status, progress: progress, stage: clearStage ? .clear : stage.map { .set($0) } ?? .keep,
      result: result, error: error, retryCount: retryCount)
    printer.changed(try await client.update(id, update, attempt: fence.attempt))
  }
}
