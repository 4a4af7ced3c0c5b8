import Foundation
import JobBrokerClient
import TestSupport
import Testing

/// Every verb of `jobctl` against a real broker: what it prints, for a person and for a script, and how it exits.
@Suite(.timeLimit(.minutes(10))) struct JobctlTests {
  /// The one object that a command printed.
  private func object(
    _ run: Finished, sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> [String: Any] {
    try #require(try json(run, sourceLocation: sourceLocation).first, sourceLocation: sourceLocation)
  }

  private func json(_ run: Finished, sourceLocation: SourceLocation = #_sourceLocation) throws -> [[String:
    Any]]
  {
    #expect(run.code == 0, "\(run)", sourceLocation: sourceLocation)
    return try run.output.split(separator: "\n").map { line in
      try #require(
        try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any], "\(line)",
        sourceLocation: sourceLocation)
    }
  }

  /// Creates a job; returns its id.
  private func create(_ broker: BrokerProcess, _ type: String = "t") async throws -> String {
    let run = try await broker.jobctl("create", "--type", type)
    #expect(run.code == 0, "\(run)")
    return run.output.trimmingCharacters(in: .whitespacesAndNewlines)
  }

  private func expectRefusal(
    _ run: Finished, _ code: String, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(run.code == 1, "\(run)", sourceLocation: sourceLocation)
    #expect(run.output.isEmpty, "\(run)", sourceLocation: sourceLocation)
    #expect(run.errors.hasPrefix("jobctl: "), "\(run)", sourceLocation: sourceLocation)
    #expect(run.errors.contains("(\(code))"), "\(run)", sourceLocation: sourceLocation)
  }

  @Test func createPrintsTheIdAndGetAndListShowTheJob() async throws {
    try await withBroker { broker in
      let id = try await create(broker, "ingest")
      #expect(JobID(id) != nil)
      let made = try object(
        try await broker.jobctl(
          "create", "--type", "save", "--metadata", #"{"big":12345678901234567890}"#, "--priority", "-3",
          "--unique-key", "k", "--json"))
      #expect(made["created"] as? Bool == true)
      let again = try await broker.jobctl("create", "--type", "save", "--unique-key", "k")
      #expect(again.code == 0 && again.errors.contains("was there already"))

      let shown = try await broker.jobctl("get", String(id.prefix(36)))
      #expect(shown.code == 0 && shown.output.contains(id) && shown.output.contains("pending"))
      let job = try #require(made["job"] as? [String: Any])
      let got = try await broker.jobctl("get", try #require(job["id"] as? String), "--json")
      #expect(try object(got)["priority"] as? Int == -3)
      #expect(got.output.contains(#""metadata":{"big":12345678901234567890}"#))

      let table = try await broker.jobctl("list", "--type", "ingest")
      #expect(table.code == 0 && table.output.contains(id))
      let jobs = try json(try await broker.jobctl("list", "--all", "--json"))
      #expect(jobs.map { $0["type"] as? String } == ["save", "ingest"])
      #expect(try json(try await broker.jobctl("list", "--status", "failed", "--json")).isEmpty)
    }
  }

  @Test func aJobIsChangedByHand() async throws {
    try await withBroker { broker in
      let id = try await create(broker)
      let updated = try object(
        try await broker.jobctl("update", id, "--stage", "cutting", "--progress", "40", "--json"))
      #expect(updated["stage"] as? String == "cutting" && updated["progress"] as? Double == 40)
      let completed = try await broker.jobctl("complete", id, "--result", #"{"n":1}"#)
      #expect(completed.code == 0 && completed.output == "\(id) complete\n")
      expectRefusal(try await broker.jobctl("fail", id, "--error", "late"), "JOB_FINISHED")

      let other = try await create(broker)
      #expect(try await broker.jobctl("fail", other, "--error", "no source").output == "\(other) failed\n")
      #expect(try await broker.jobctl("retry", other).output == "\(other) pending\n")
      #expect(try await broker.jobctl("cancel", other).output == "\(other) cancelled\n")
      #expect(try await broker.jobctl("cancel", other).code == 0, "cancelling twice is no error")
      expectRefusal(try await broker.jobctl("retry", id), "INVALID_ARGUMENT")
      #expect(try await broker.jobctl("delete", other).output == "\(other) deleted\n")
      expectRefusal(try await broker.jobctl("get", other), "NOT_FOUND")
    }
  }

  @Test func whatIsRefusedForOneJobIsDoneToTheOthers() async throws {
    try await withBroker { broker in
      let client = try await broker.client()
      let (first, second) = (try await create(broker), try await create(broker))
      let unknown = JobID.timeOrdered().description
      for (verb, status) in [("cancel", "cancelled"), ("retry", "pending"), ("delete", "deleted")] {
        let run = try await broker.jobctl(verb, first, unknown, "ffff", second)
        #expect(run.code == 1 && run.output == "\(first) \(status)\n\(second) \(status)\n", "\(run)")
        #expect(run.errors.contains("Job \(unknown) not found (NOT_FOUND)"), "\(run)")
        #expect(run.errors.contains("begins with ffff"), "\(run)")
      }
      #expect(try await client.list().jobs.isEmpty)
    }
  }

  @Test func aJobThatIsNamedTwiceIsMeantOnce() async throws {
    try await withBroker { broker in
      let id = try await create(broker)
      for (verb, status) in [("cancel", "cancelled"), ("retry", "pending"), ("delete", "deleted")] {
        let run = try await broker.jobctl(verb, id, id.uppercased())
        #expect(run.code == 0 && run.output == "\(id) \(status)\n", "\(run)")
      }
    }
  }

  @Test func aFileWithALineThatIsNoObjectMakesNoJob() async throws {
    try await withBroker { broker in
      let file = broker.directory.file("lines")
      try String(repeating: "{}\n", count: 1_500).appending("oops\n")
        .write(toFile: file, atomically: false, encoding: .utf8)
      let run = try await broker.jobctl("create", "--type", "t", "--metadata-lines", file)
      #expect(run.code == 2 && run.output.isEmpty && run.errors.contains("\(file), line 1501"), "\(run)")
      #expect(try await broker.client().list().jobs.isEmpty)
    }
  }

  @Test func aListThatIsCutSaysSoAndAWatchOfAnUnknownJobToo() async throws {
    try await withBroker { broker in
      _ = try await broker.jobctl("create", "--type", "t", "--count", "51")
      for form in [[], ["--json"]] {
        let run = try await broker.jobctl(["list"] + form)
        #expect(run.code == 0 && run.errors == "jobctl: there are more; see --limit and --all\n", "\(run)")
      }
      #expect(try await broker.jobctl("list", "--all").errors.isEmpty)
      let unknown = JobID.timeOrdered().description
      let watch = try await broker.jobctl("watch", unknown, "--until-finished")
      #expect(watch.code == 1 && watch.errors == "jobctl: no such job: \(unknown)\n", "\(watch)")
    }
  }

  @Test func aHeldJobIsReleasedReapedAndShownWithItsHolder() async throws {
    try await withBroker { broker in
      let worker = try await broker.client(name: "studio")
      let id = try await create(broker)
      _ = try await worker.claim()
      let workers = try json(try await broker.jobctl("workers", "--json"))
      let studio = try #require(workers.first { $0["name"] as? String == "studio" })
      #expect((studio["holds"] as? [[String: Any]])?.first?["id"] as? String == id)
      let table = try await broker.jobctl("workers")
      #expect(table.code == 0 && table.output.contains("studio"))

      expectRefusal(try await broker.jobctl("release", id, "--attempt", "7"), "STALE_CLAIM")
      #expect(try await broker.jobctl("release", id).output == "\(id) pending\n")
      _ = try await worker.claim()
      #expect(
        try object(try await broker.jobctl("reap", "--timeout", "1h", "--json"))["reaped"] as? Int == 0)
      #expect(try await broker.jobctl("reap", "--timeout", "0s", "--type", "t").output == "1 reaped\n")
      #expect(try await worker.get(try #require(JobID(id)))?.status == .failed)
    }
  }

  @Test func placesCountersAndTypesAreShown() async throws {
    try await withBroker { broker in
      _ = try await create(broker, "a")
      let id = try await create(broker, "b")
      #expect(try await broker.jobctl("position", id).output == "1 in the queue, 0 in its type\n")
      #expect(try await broker.jobctl("pause", "b").output == "b paused\n")
      let position = try object(try await broker.jobctl("position", id, "--json"))
      #expect(position["position"] as? Int == 1 && position["position_in_type"] as? Int == 0)
      let stats = try object(try await broker.jobctl("stats", "--json"))
      let types = try #require(stats["types"] as? [[String: Any]])
      #expect(types.map { $0["pending"] as? Int } == [1, 1])
      #expect(types.map { $0["paused"] as? Bool } == [false, true])
      #expect(try await broker.jobctl("stats").output.contains("paused"))
      #expect(try await broker.jobctl("resume", "b").output == "b resumed\n")
      _ = try await broker.jobctl("cancel", id)
      #expect(try await broker.jobctl("position", id).output == "-1 (not pending)\n")
      expectRefusal(try await broker.jobctl("position", JobID.timeOrdered().description), "NOT_FOUND")
      let ping = try object(try await broker.jobctl("ping", "--json"))
      #expect((ping["server"] as? String)?.hasPrefix("jobbrokerd/") == true)
      #expect(try await broker.jobctl("ping").output.contains("answers in"))
    }
  }

  @Test func theStoreIsPrunedAndBackedUp() async throws {
    try await withBroker { broker in
      for _ in 1...2 { _ = try await broker.jobctl("cancel", try await create(broker)) }
      let kept = try await create(broker)
      #expect(try await broker.jobctl("prune", "--older-than", "1h").output == "0 pruned\n")
      let pruned = try object(
        try await broker.jobctl("prune", "--older-than", "0s", "--status", "cancelled", "--json"))
      #expect(pruned["pruned"] as? Int == 2)
      #expect(try await broker.jobctl("get", kept).code == 0)

      let copy = broker.directory.file("copy.db")
      #expect(try await broker.jobctl("backup", copy).output == "backed up to \(copy)\n")
      #expect(FileManager.default.fileExists(atPath: copy))
      expectRefusal(try await broker.jobctl("backup", copy), "ALREADY_EXISTS")
      let nowhere = broker.directory.file("nowhere/copy.db")
      let refused = try await broker.jobctl("backup", nowhere)
      expectRefusal(refused, "INVALID_ARGUMENT")
      #expect(refused.errors.contains("\(nowhere): No such file"), "\(refused)")
    }
  }

  @Test func aWatchShowsChangesUntilTheJobIsFinished() async throws {
    try await withBroker { broker in
      let id = try await create(broker)
      let watch = try ChildProcess(
        Products.jobctl, ["watch", id, "--until-finished", "--json"],
        environment: ["JOBBROKER_SOCKET": broker.socket])
      _ = try await watch.line(beginning: #"{"event":"current""#)
      _ = try await broker.jobctl("complete", id)
      let change = try await watch.line(beginning: #"{"event":"changed""#)
      #expect(change.contains(#""status":"complete""#))
      #expect(await watch.waitForExit() == 0)

      let other = try await create(broker)
      let waiting = try ChildProcess(
        Products.jobctl, ["watch", other, "--until-finished"],
        environment: ["JOBBROKER_SOCKET": broker.socket])
      _ = try await waiting.line(beginning: "")
      _ = try await broker.jobctl("cancel", other)
      #expect(await waiting.waitForExit() == 1, "the job did not complete")
    }
  }

  @Test(arguments: [
    ["watch"], ["create", "--type", "t", "--wait"], ["work", "--type", "none", "--", "/bin/cat"],
  ])
  func whoOutlivesTheBrokerSaysThatItIsAwayAndThatItIsBack(arguments: [String]) async throws {
    var broker = try await BrokerProcess.start()
    _ = try await create(broker)
    let run = try ChildProcess(
      "/bin/sh", ["-c", #"exec "$0" "$@" 2>&1"#, Products.jobctl] + arguments,
      environment: ["JOBBROKER_SOCKET": broker.socket])
    let client = try await broker.client()
    try await until({ try await client.workers().workers }) { $0.contains { $0.client.hasPrefix("jobctl/") } }
    await client.close()
    broker = try await broker.restartAfterKill()
    _ = try await run.line(beginning: "jobctl: connection lost because=")
    _ = try await run.line(beginning: "jobctl: connected again server=jobbrokerd/")
    await run.stop()
    await broker.process.stop()
  }

  @Test func whatIsFoundWrongOnlyWhenACommandRunsNamesNoOthersUsage() async throws {
    let run = try await Finished.running([
      Products.jobctl, "ping", "--socket", "/" + String(repeating: "x", count: 120),
    ])
    #expect(run.code == 2 && run.errors.hasPrefix("jobctl: ") && !run.errors.contains("Usage:"), "\(run)")
  }

  @Test func aCreateThatWaitsEndsAsItsJobDoes() async throws {
    try await withBroker { broker in
      let worker = try await broker.client()
      for (isGood, code) in [(true, Int32(0)), (false, 1)] {
        let create = try ChildProcess(
          Products.jobctl, ["create", "--type", "t", "--wait"],
          environment: ["JOBBROKER_SOCKET": broker.socket])
        let job = try #require(try await worker.claim(ClaimRequest(wait: .seconds(60))).first)
        if isGood {
          try await worker.complete(job.id, attempt: job.attempt)
        } else {
          try await worker.fail(job.id, error: "no", attempt: job.attempt)
        }
        #expect(await create.waitForExit() == code)
      }
    }
  }

  /// `jobctl work` without a broker yet, once it has said that it waits for one.
  private func waitingWorker(_ directory: TemporaryDirectory) async throws -> ChildProcess {
    let socket = directory.file("broker.sock")
    let worker = try ChildProcess(
      "/bin/sh", ["-c", #"exec "$0" "$@" 2>&1"#, Products.jobctl, "work", "--type", "t", "--", "/bin/cat"],
      environment: ["JOBBROKER_SOCKET": socket])
    _ = try await worker.line(beginning: "jobctl: waiting for a broker at \(socket)")
    return worker
  }

  @Test(arguments: [SIGTERM, SIGINT, SIGHUP])
  func aWorkerCanBeStoppedWhileItWaitsForItsFirstBroker(signal: Int32) async throws {
    let worker = try await waitingWorker(TemporaryDirectory())
    #expect(await worker.stop(signal) == 0)
  }

  @Test func aWorkerWaitsForItsFirstBroker() async throws {
    let directory = TemporaryDirectory()
    let worker = try await waitingWorker(directory)
    let broker = try await BrokerProcess.start(in: directory)
    let id = try await create(broker)
    #expect(try await broker.jobctl("watch", id, "--until-finished").code == 0)
    _ = try await worker.line(beginning: "\(id) t complete")
    #expect(await worker.stop() == 0)
    await broker.process.stop()
  }

  @Test func anAmbiguousPrefixNamesTheCandidatesAndChangesNothing() async throws {
    try await withBroker { broker in
      let client = try await broker.client()
      let ids = ["00000000-0000-7000-8000-00000000000a", "00000000-0000-7000-8000-00000000000b"]
      for id in ids { _ = try await client.create(NewJob(id: try #require(JobID(id)), type: "t")) }
      let run = try await broker.jobctl("cancel", "00000000-0000-7000-8000")
      expectRefusal(run, "INVALID_ARGUMENT")
      for id in ids { #expect(run.errors.contains(id)) }
      #expect(try await client.list().jobs.allSatisfy { $0.status == .pending })
      #expect(try await broker.jobctl("cancel", "000000000000700080000000000000000a").code == 2)
      #expect(try await broker.jobctl("cancel", "00000000000070008000" + "00000000000a").code == 0)
      expectRefusal(try await broker.jobctl("get", "ffff"), "NOT_FOUND")
    }
  }

  @Test(arguments: [
    ["create"], ["create", "--type", "t", "--count", "0"], ["get"], ["get", "xyz"], ["list", "--limit", "0"],
    ["list", "--status", "lost"], ["watch", "--until-finished"], ["prune", "--older-than", "soon"],
    ["prune", "--older-than", "1h", "--status", "pending"], ["reap"], ["fail", "00"], ["pause"], ["backup"],
    ["dance"], ["ping", "--socket", ""], ["ping", "--request-timeout", "0s"],
    ["list", "--all", "--limit", "1"],
    ["create", "--type", "t", "--metadata-file", "/nowhere/file"],
    ["create", "--type", "t", "--count", "1001", "--wait"],
    ["bench", "--durability", "full", "--socket", "/x"],
    ["bench", "--directory", "/tmp"], ["bench", "--wake", "--clients", "4"],
    ["bench", "--durability", "full", "--keep"],
    ["create", "--type", "t", "--max-retries=-1"],
    ["create", "--type", "t", "--max-lost", "1000001"],
    ["update", "00", "--retry-count=-1"], ["complete", "00", "--attempt", "0"],
    ["release", "00", "--attempt=-1"],
    ["fail", "00", "--error", "e", "--attempt", "4294967296"],
    ["ping", "--loud"], ["ping", "--socket", "/tmp/" + String(repeating: "x", count: 120)],
    ["work", "--socket", "/tmp/" + String(repeating: "x", count: 120), "--", "/bin/cat"],
  ])
  func aCommandLineWithoutSenseIsRefusedBeforeAnyBrokerIsAsked(arguments: [String]) async throws {
    let run = try await Finished.running(
      [Products.jobctl] + arguments, environment: ["JOBBROKER_SOCKET": "/nowhere/broker.sock"])
    #expect(run.code == 2 && run.output.isEmpty && !run.errors.isEmpty, "\(run)")
  }

  @Test func anArgumentThatIsNoTextIsRefused() async throws {
    try await withBroker { broker in
      let run = try await broker.jobctl(
        ["create"], through: ["/bin/sh", "-c", #"exec "$0" "$@" --type "$(printf 'a\377b')""#])
      #expect(run.code == 2 && run.errors.contains("Argument 3 is no UTF-8 text."), "\(run)")
      #expect(try await broker.client().list().jobs.isEmpty)
    }
  }

  @Test(arguments: [
    ["ping"], ["stats", "--json"], ["list"], ["get", "00"], ["create", "--type", "t"], ["cancel", "00"],
    ["watch"], ["workers"], ["position", "00"], ["pause", "t"], ["prune", "--older-than", "1h"],
  ])
  func withoutABrokerTheExitCodeSaysSo(arguments: [String]) async throws {
    let run = try await Finished.running(
      [Products.jobctl] + arguments, environment: ["JOBBROKER_SOCKET": "/nowhere/broker.sock"])
    #expect(run.code == 3 && run.output.isEmpty, "\(run)")
    #expect(run.errors.contains("/nowhere/broker.sock") && run.errors.contains("JOBBROKER_SOCKET"), "\(run)")
  }

  @Test(
    .enabled(if: geteuid() == 0, "starting processes of other users needs root"),
    arguments: [["ping"], ["work", "--", "/bin/cat"]])
  func aBrokerThatIsForOthersIsNone(arguments: [String]) async throws {
    let somebody = ["/usr/bin/setpriv", "--reuid=23456", "--regid=34568", "--clear-groups"]
    try await withBroker(["--socket-mode", "0666", "--allow-uid", "daemon"]) { broker in
      try #require(chmod(broker.directory.path, 0o711) == 0)
      let run = try await broker.jobctl(arguments, through: somebody)
      #expect(run.code == 3 && run.errors.contains("(PERMISSION_DENIED)"), "\(run)")
      #expect(!run.errors.contains("waiting"), "\(run)")
    }
  }
}
