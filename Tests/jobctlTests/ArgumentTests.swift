import ArgumentParser
import JobBrokerClient
import Testing

@testable import jobctl

@Suite struct TimeTextTests {
  @Test(arguments: [
    ("250ms", 250), ("10s", 10_000), ("5m", 300_000), ("2min", 120_000), ("1h30m", 5_400_000), ("1.5s", 1500),
    ("7d", 604_800_000), ("0s", 0),
  ])
  func durations(text: String, milliseconds: Int) throws {
    #expect(try DurationText.parse(text) == .milliseconds(milliseconds))
  }

  @Test(arguments: ["", "10", "s", "-5s", "10 s", "5x", "1..5s", "1h30", "99999999999999d"])
  func noDurations(text: String) {
    #expect(throws: ValidationError.self) { try DurationText.parse(text) }
  }

  @Test(arguments: [
    ("2026-11-23T20:15:00Z", "2026-11-23T20:15:00.000Z"),
    ("2026-11-23T20:15:00.5Z", "2026-11-23T20:15:00.500Z"),
    ("2026-11-23T20:15:00.123456Z", "2026-11-23T20:15:00.123Z"),
    ("2026-11-23T20:15:00+01:30", "2026-11-23T18:45:00.000Z"),
    ("2026-02-28T23:00:00-02:00", "2026-03-01T01:00:00.000Z"),
    ("2028-02-29T12:00:00Z", "2028-02-29T12:00:00.000Z"),
  ])
  func moments(text: String, iso: String) throws {
    #expect(try MomentText.parse(text).iso8601 == iso)
  }

  @Test(arguments: [
    "", "2026-11-23", "2026-11-23T20:15:00", "2026-13-01T00:00:00Z", "2026-11-23T24:00:00Z", "now",
    "2027-02-29T00:00:00Z", "2026-04-31T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z",
    "2026-11-23T20:15:00+25:00", "2026-11-23T20:15:00-01:60",
  ])
  func noMoments(text: String) {
    #expect(throws: ValidationError.self) { try MomentText.parse(text) }
  }
}

@Suite struct JobReferenceTests {
  private let ids = [
    "0193a5b2-7c1d-7000-8000-000000000001", "0193a5b2-7c1d-7000-8000-0000000000ff",
    "0193a5b3-0000-7000-8000-000000000003",
  ].compactMap { JobID($0) }

  private func reference(_ text: String) throws -> JobReference {
    try #require(JobReference(argument: text))
  }

  @Test func aPrefixOfOneJobIsThatJob() throws {
    #expect(try reference("0193A5B3").choose(among: ids) == ids[2])
    #expect(try reference("0193a5b2-7c1d-7000-8000-0000000000f").choose(among: ids) == ids[1])
  }

  @Test func aPrefixOfSeveralNamesThem() throws {
    let error = #expect(throws: JobError.self) {
      try reference("0193a5b2").choose(among: ids, isComplete: false)
    }
    #expect(error?.code == .invalidArgument)
    #expect(error?.message.contains(ids[0].description) == true)
    #expect(error?.message.contains(ids[1].description) == true)
    #expect(error?.message.contains(ids[2].description) == false)
    #expect(error?.message.hasSuffix("\n  and more") == true)
  }

  @Test func aPrefixOfNoneIsNotFound() throws {
    let error = #expect(throws: JobError.self) { try reference("ff").choose(among: ids) }
    #expect(error?.code == .notFound)
  }

  @Test func onlyAWholeIDNeedsNoLookingUp() throws {
    #expect(try reference(ids[0].description).wholeID == ids[0])
    #expect(try reference("0193a5b2").wholeID == nil)
  }

  @Test(arguments: ["", "-", "xyz", "0193a5b2-7c1d-7000-8000-0000000000011"])
  func noReferences(text: String) {
    #expect(JobReference(argument: text) == nil)
  }
}

@Suite struct CommandLineTests {
  /// How a run that fails to parse ends.
  private func ending(_ arguments: String...) throws -> Ending {
    do {
      var command = try Jobctl.parseAsRoot(arguments)
      // --help parses to a command that prints it.
      if !(command is any AsyncParsableCommand) { try command.run() }
      throw JobError(.internal, "it parsed")
    } catch {
      return Ending(of: error)
    }
  }

  @Test func usageErrorsEndWith2() throws {
    #expect(try ending("list", "--bogus").status == .usage)
    #expect(try ending("work", "--type", "x").status == .usage)
    #expect(try ending("work", "--", "/no/such/program").status == .usage)
    #expect(try ending("create", "--type", "x", "--delay", "10").status == .usage)
    #expect(try ending("get", "no-hex").status == .usage)
    #expect(try ending("prune", "--older-than", "1d", "--status", "pending").status == .usage)
  }

  @Test func aDirectoryIsNoProgram() {
    #expect(!Work.isExecutable("/usr"))
    #expect(!Work.isExecutable("bin", path: "/usr"))
    #expect(Work.isExecutable("sh", path: "/usr:/bin"))
  }

  @Test func helpAndVersionEndWith0OnStandardOutput() throws {
    let help = try ending("work", "--help")
    #expect(help.status == .done)
    #expect(help.output?.contains("Examples:") == true)
    #expect(help.complaint == nil)
    #expect(try ending("--version").output == jobBrokerVersion)
  }

  @Test func refusalsEndWith1AndMissingBrokersWith3() {
    let refusal = Ending(of: JobError(.notFound, "Job 7 not found"))
    #expect(refusal.status == .refused)
    #expect(refusal.complaint == "jobctl: Job 7 not found (NOT_FOUND)")
    let missing = Ending(of: NoBroker(reason: "no broker answers at /x.sock"))
    #expect(missing.status == .noBroker)
    #expect(missing.complaint?.contains("--socket") == true)
  }

  @Test func everyCommandHasAnExample() {
    let commands = Jobctl.configuration.groupedSubcommands.flatMap(\.subcommands)
    #expect(commands.count == 22)
    for command in commands {
      #expect(command.configuration.discussion.contains("jobctl \(command._commandName)"))
    }
  }

  @Test func noExampleWraps() {
    let commands = [Jobctl.self] + Jobctl.configuration.groupedSubcommands.flatMap(\.subcommands)
    for command in commands {
      let examples = command.configuration.discussion.split(separator: "\n").filter { $0.hasPrefix("  ") }
      for example in examples { #expect(example.count <= 80, "\(example)") }
    }
  }

  @Test func onlyWhatGrowsWithTheStoreMayGoUnansweredForEver() throws {
    for arguments in [["backup", "/x"], ["prune", "--older-than", "1d"], ["reap", "--timeout", "1m"]] {
      let command = try #require(try Jobctl.parseAsRoot(arguments) as? any BrokerCommand)
      #expect(command.clientConfiguration.requestTimeout == nil)
    }
    let other = try #require(try Jobctl.parseAsRoot(["list"]) as? any BrokerCommand)
    #expect(other.clientConfiguration.requestTimeout != nil)
  }

  @Test(arguments: [["list"], ["prune", "--older-than", "1d"]])
  func whoAsksSaysHowLongTheAnswerMayTake(arguments: [String]) throws {
    let command = try Jobctl.parseAsRoot(arguments + ["--request-timeout", "5s"])
    #expect((command as? any BrokerCommand)?.clientConfiguration.requestTimeout == .seconds(5))
  }

  @Test func aNegativePriorityIsNoOption() throws {
    let command = try Jobctl.parseAsRoot(["create", "--type", "x", "--priority", "-5"]) as? Create
    #expect(command?.priority == -5)
  }
}

@Suite struct MetadataLinesTests {
  @Test func aLineIsAJobAndAnEmptyOneIsNone() throws {
    let text = "{\"a\":\"\u{2028}\"}\r\n\n  {}\n   \n"
    #expect(try Create.objects(inLinesOf: text, from: "f") == ["{\"a\":\"\u{2028}\"}", "  {}"])
  }

  @Test(arguments: ["{}\n\n{a}\n", "{}\r\n\r\n[]", "\n\n{} {}\n{oops}"])
  func theFirstLineThatIsNoObjectIsNamed(text: String) {
    let error = #expect(throws: ValidationError.self) {
      try Create.objects(inLinesOf: text, from: "jobs.txt")
    }
    #expect(error?.message.hasPrefix("jobs.txt, line 3: no JSON object") == true)
  }
}

@Suite struct CreateBatchesTests {
  @Test func cutsByCountAndBySize() {
    let small = Array(CreateBatches(jobs: (0..<2500).map { _ in NewJob(type: "x") }))
    #expect(small.joined().count == 2500)
    #expect(small.allSatisfy { (1...Limits.createBatch).contains($0.count) })

    let metadata = #"{"p":""# + String(repeating: "x", count: 300 << 10) + #""}"#
    let large = Array(CreateBatches(jobs: (0..<3).map { _ in NewJob(type: "x", metadata: metadata) }))
    #expect(large.map(\.count) == [1, 1, 1])
  }

  @Test func jobsAreMadeWhenItIsTheirTurn() {
    var made = 0
    let jobs = (0..<1_000_000).lazy.map { _ in
      made += 1
      return NewJob(type: "x")
    }
    var batches = CreateBatches(jobs: jobs)
    #expect(batches.next()?.isEmpty == false)
    #expect(made <= Limits.createBatch + 1)
  }

  @Test func noJobsAreNoRequests() {
    #expect(Array(CreateBatches(jobs: [NewJob]())).isEmpty)
  }
}
