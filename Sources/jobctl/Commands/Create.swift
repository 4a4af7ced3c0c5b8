import ArgumentParser
import JobBrokerClient

struct Create: BrokerCommand {
  static let configuration = CommandConfiguration(
    abstract: "Create jobs.",
    discussion: """
      Prints the id of each job. The metadata is a JSON object. Many jobs go to the broker in parts of up to 1,000; \
      each part is created whole or not at all. The --metadata-lines are all checked before the first part.

      Examples:
        jobctl create --type ingest --metadata '{"file":"talk.wav"}'
        jobctl create --type ingest --metadata-file talk.json --wait
        jobctl create --type report --delay 10m --unique-key nightly
        ls *.wav | jq -Rc '{file: .}' | jobctl create --type ingest --metadata-lines -
      """)
  static let outlivesBroker = true

  @OptionGroup var broker: BrokerOptions

  @Option(name: .customLong("type"), help: ArgumentHelp("Routes the job to workers.", valueName: "type"))
  var type: String

  @Option(help: ArgumentHelp("The job's metadata.", valueName: "json"))
  var metadata: String?

  @Option(
    help: ArgumentHelp("A file with the metadata; - is standard input.", valueName: "file"),
    completion: .file(), transform: { try TextFile.contents(of: $0) })
  var metadataFile: String?

  @Option(
    help: ArgumentHelp("A file with the metadata of one job a line; - is standard input.", valueName: "file"),
    completion: .file(),
    transform: { try Create.objects(inLinesOf: TextFile.contents(of: $0), from: $0) })
  var metadataLines: [String]?

  @Option(help: ArgumentHelp("The job's id, a UUID: creating it again is no second job.", valueName: "uuid"))
  var id: String?

  @Option(parsing: .unconditional, help: "Higher is claimed first.")
  var priority: Int32 = 0

  @Option(help: "Automatic retries.")
  var maxRetries = NewJob.defaultMaxRetries

  @Option(help: "How often a worker may be lost while holding it.")
  var maxLost = NewJob.defaultMaxLost

  @Option(
    help: ArgumentHelp("Not to be claimed before this time has passed, as in 10s.", valueName: "duration"),
    transform: DurationText.parse)
  var delay: Duration?

  @Option(
    help: ArgumentHelp(
      "Not to be claimed before this moment, as in 2026-11-23T20:15:00Z.", valueName: "moment"),
    transform: MomentText.parse)
  var notBefore: Timestamp?

  @Option(help: ArgumentHelp("At most one unfinished job has this key.", valueName: "key"))
  var uniqueKey: String?

  @Option(help: "How many jobs to create.")
  var count = 1

  @Flag(help: "Wait until the jobs are finished; exit status 1 unless all of them are complete.")
  var wait = false

  func validate() throws {
    guard [metadata != nil, metadataFile != nil, metadataLines != nil].count(where: { $0 }) <= 1 else {
      throw ValidationError("Give the metadata once: --metadata, --metadata-file or --metadata-lines.")
    }
    guard delay == nil || notBefore == nil else {
      throw ValidationError("--delay and --not-before exclude each other.")
    }
    try requireRetries(maxRetries, "--max-retries")
    try requireRetries(maxLost, "--max-lost")
    guard count >= 1 else { throw ValidationError("--count is 1 or more.") }
    guard count == 1 || metadataLines == nil else {
      throw ValidationError("--count and --metadata-lines exclude each other.")
    }
    if let id {
      guard JobID(id) != nil else { throw ValidationError("--id is a UUID, not '\(id)'.") }
      guard count == 1, metadataLines == nil else { throw ValidationError("An --id names one job.") }
    }
    guard !wait || jobCount <= Limits.selection else {
      throw ValidationError("--wait follows at most \(Limits.selection) jobs.")
    }
  }

  func run(_ client: JobBrokerClient, _ printer: Printer) async throws {
    var ids: Set<JobID> = []
    for batch in CreateBatches(jobs: newJobs) {
      for created in try await client.create(batch) {
        if wait { ids.insert(created.job.id) }
        if !wait || printer.json {
          printer.line(
            JSONLine {
              $0.add("created", created.created)
              $0.add("job", JSONLine(created.job))
            }, created.job.id.description)
        }
        if !created.created { printer.note("\(created.job.id) was there already") }
      }
    }
    guard wait, !ids.isEmpty else { return }
    let board = try await Follow(client: client, printer: printer, until: ids).run(WatchSelection(ids: ids))
    try board.requireComplete(ids, printer)
  }

  private var jobCount: Int { metadataLines?.count ?? count }

  /// The jobs, each made when it is its turn: there may be more than memory has room for.
  private var newJobs: some Sequence<NewJob> {
    let start = delay.map { Timestamp.now + $0 } ?? notBefore
    let one = metadataFile ?? metadata ?? "{}"
    return (0..<jobCount).lazy.map { index in
      NewJob(
        id: id.flatMap { JobID($0) } ?? .timeOrdered(), type: type, metadata: metadataLines?[index] ?? one,
        priority: priority, maxRetries: maxRetries, maxLost: maxLost, notBefore: start, uniqueKey: uniqueKey)
    }
  }
}

extension Create {
  /// The JSON objects of a file that has one a line; empty lines are left out.
  ///
  /// - Throws: `ValidationError` that names the first line that can't be a job's metadata.
  static func objects(inLinesOf text: String, from path: String) throws -> [String] {
    // Not every line break of Unicode: some may stand in a string of JSON.
    let lines = text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }
    return try lines.enumerated().compactMap { index, line in
      if line.allSatisfy(\.isWhitespace) { return nil }
      let object = String(line)
      guard object.utf8.count <= Limits.payload, JSONText.isObject(object) else {
        throw ValidationError(
          """
          \(path), line \(index + 1): no JSON object of at most \(Limits.payload) bytes, nested at most \(Limits.depth) \
          levels deep. Nothing was created.
          """
        )
      }
      return object
    }
  }
}

/// Cuts a long list of new jobs into requests that fit into a frame.
struct CreateBatches<Jobs: Sequence<NewJob>>: Sequence, IteratorProtocol {
  private var rest: Jobs.Iterator
  /// The first of the next batch.
  private var first: NewJob?

  init(jobs: Jobs) {
    rest = jobs.makeIterator()
    first = rest.next()
  }

  mutating func next() -> [NewJob]? {
    var batch: [NewJob] = []
    var bytes = 0
    while let job = first, batch.count < Limits.createBatch {
      bytes += job.metadata.utf8.count + 4 * Limits.name
      // A request leaves room in its frame for what is not metadata.
      guard batch.isEmpty || bytes <= Limits.frame / 2 else { break }
      batch.append(job)
      first = rest.next()
    }
    return batch.isEmpty ? nil : batch
  }
}
