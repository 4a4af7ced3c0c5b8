import Foundation
import JobBrokerClient
import TestSupport
import Testing
import TrustSupport

/// A process of another user, as the kernel sees it. Only root can start one.
private struct Person {
  var user: UInt32
  var group: UInt32
  /// Supplementary groups.
  var groups: [UInt32] = []

  /// Ends with executing what it is given. The user and the groups need not exist.
  var wrapper: [String] {
    let list = groups.map(String.init).joined(separator: ",")
    return ["/usr/bin/setpriv", "--reuid=\(user)", "--regid=\(group)"]
      + [groups.isEmpty ? "--clear-groups" : "--groups=\(list)"]
  }
}

/// Who may do what, asked by processes of other users.
@Suite(.enabled(if: geteuid() == 0, "starting processes of other users needs root"))
struct AccessTests {
  private static let group: UInt32 = 34_567
  private let somebody = Person(user: 23_456, group: 34_568)
  private let another = Person(user: 23_457, group: 34_568)
  private let member = Person(user: 23_458, group: group)
  private let supplementaryMember = Person(user: 23_459, group: 34_568, groups: [34_569, group])

  /// Runs `jobctl` as somebody.
  private func jobctl(
    _ broker: BrokerProcess, _ arguments: String..., by person: Person
  ) async throws -> Finished {
    try await Finished.running(
      person.wrapper + [Products.jobctl] + arguments, environment: ["JOBBROKER_SOCKET": broker.socket])
  }

  /// A broker whose socket everybody may reach.
  private func withOpenBroker(
    _ arguments: String..., by owner: Person? = nil, body: (BrokerProcess) async throws -> Void
  ) async throws {
    let directory = TemporaryDirectory()
    try #require(chmod(directory.path, 0o711) == 0)
    if let owner { try #require(chown(directory.path, owner.user, owner.group) == 0) }
    let broker = try await BrokerProcess.start(
      in: directory, ["--socket-mode", "0666"] + arguments, through: owner?.wrapper ?? [])
    try await body(broker)
    #expect(await broker.process.stop() == 0)
  }

  private func expectRefusal(
    _ run: Finished, _ text: String, code: Int32 = 1, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(run.code == code, "\(run)", sourceLocation: sourceLocation)
    let isRefusal = run.errors.contains("(PERMISSION_DENIED)") && run.errors.contains(text)
    #expect(isRefusal, "\(run)", sourceLocation: sourceLocation)
  }

  @Test func aBrokerThatMayNotWriteItsDatabaseDoesNotStart() async throws {
    let directory = TemporaryDirectory()
    try #require(chown(directory.path, somebody.user, somebody.group) == 0)
    let broker = try await BrokerProcess.start(in: directory, through: somebody.wrapper)
    #expect(await broker.process.stop() == 0)
    try #require(chown(broker.database, 0, 0) == 0 && chmod(broker.database, 0o644) == 0)
    let process = try BrokerProcess.spawn(in: directory, through: somebody.wrapper)
    let ended = await #expect(throws: ChildProcess.Ended.self) {
      try await process.line(beginning: "ready socket=")
    }
    #expect(ended?.description.contains("Cannot open \(broker.database): Permission denied") == true)
    #expect(await process.stop() == 1)
  }

  // MARK: Who may connect

  @Test func theModeOfTheSocketKeepsOthersOut() async throws {
    let directory = TemporaryDirectory()
    try #require(chmod(directory.path, 0o711) == 0)
    let broker = try await BrokerProcess.start(in: directory)
    let run = try await jobctl(broker, "ping", by: somebody)
    let reason = "Permission denied: \(broker.socket) has mode 0600"
    #expect(run.code == 3 && run.errors.contains(reason), "\(run)")
    #expect(!run.errors.contains("Start one"), "\(run)")
    try #require(chmod(directory.path, 0o700) == 0)
    let outside = try await jobctl(broker, "ping", by: somebody)
    #expect(outside.code == 3 && outside.errors.contains("may enter its directory"), "\(outside)")
    await broker.process.stop()
  }

  @Test func withoutAListWhoeverReachesTheSocketMayWork() async throws {
    try await withOpenBroker { broker in
      let run = try await jobctl(broker, "create", "--type", "t", by: somebody)
      #expect(run.code == 0, "\(run)")
      let workers = try await jobctl(broker, "workers", "--json", by: another)
      #expect(workers.output.contains(#""uid":\#(another.user)"#), "the kernel's word is not shown")
    }
  }

  @Test func usersAndGroupsMayBeNamed() async throws {
    let entry = try #require(getpwnam("daemon")).pointee
    let daemon = Person(user: entry.pw_uid, group: entry.pw_gid)
    for named in [["--allow-uid", "daemon"], ["--allow-gid", "daemon"]] {
      try await withOpenBroker(named[0], named[1]) { broker in
        #expect(try await jobctl(broker, "ping", by: daemon).code == 0)
        expectRefusal(try await jobctl(broker, "ping", by: somebody), "--allow-uid", code: 3)
      }
    }
    let run = try await Finished.running([Products.jobbrokerd, "--operator-gid", "no-such-group"])
    #expect(run.code == 2 && run.errors.contains("There is no group no-such-group."), "\(run)")
  }

  @Test func withAListOfUsersOnlyThoseAndRootAreLetIn() async throws {
    try await withOpenBroker("--allow-uid", "\(somebody.user)") { broker in
      #expect(try await jobctl(broker, "ping", by: somebody).code == 0)
      #expect(try await broker.jobctl("ping").code == 0)
      expectRefusal(try await jobctl(broker, "ping", by: another), "--allow-uid", code: 3)
    }
  }

  @Test func withAListOfGroupsOnlyTheirMembersAreLetIn() async throws {
    try await withOpenBroker("--allow-gid", "\(Self.group)") { broker in
      #expect(try await jobctl(broker, "ping", by: member).code == 0)
      #expect(try await jobctl(broker, "ping", by: supplementaryMember).code == 0)
      expectRefusal(try await jobctl(broker, "ping", by: somebody), "--allow-gid", code: 3)
    }
  }

  @Test func ofHundredsOfGroupsTheLastCounts() async throws {
    try await withOpenBroker("--allow-gid", "\(Self.group)") { broker in
      let last = Person(user: 23_460, group: 34_568, groups: Array(Self.group - 400...Self.group))
      #expect(try await jobctl(broker, "ping", by: last).code == 0)
      let without = Person(user: 23_460, group: 34_568, groups: Array(Self.group - 400..<Self.group))
      expectRefusal(try await jobctl(broker, "ping", by: without), "--allow-gid", code: 3)
    }
  }

  @Test func membershipIsTheProcessesNotTheUserDatabases() async throws {
    // A user of every Debian system, whose group the user database knows.
    let entry = try #require(getpwnam("daemon")).pointee
    try await withOpenBroker("--allow-gid", "\(entry.pw_gid)") { broker in
      let dropped = Person(user: entry.pw_uid, group: 34_568)
      expectRefusal(try await jobctl(broker, "ping", by: dropped), "--allow-gid", code: 3)
      let given = Person(user: somebody.user, group: 34_568, groups: [entry.pw_gid])
      #expect(try await jobctl(broker, "ping", by: given).code == 0)
    }
  }

  @Test func operatorsNeedNotBeOnTheList() async throws {
    try await withOpenBroker(
      "--allow-uid", "\(somebody.user)", "--operator-gid", "\(Self.group)"
    ) { broker in
      #expect(try await jobctl(broker, "pause", "t", by: member).code == 0)
      expectRefusal(try await jobctl(broker, "pause", "t", by: somebody), "your uid is \(somebody.user)")
      expectRefusal(try await jobctl(broker, "ping", by: another), "--allow-uid", code: 3)
    }
  }

  @Test func theConnectionsOfOneUserAreNotThoseOfAnother() async throws {
    try await withOpenBroker("--max-connections-per-user", "1") { broker in
      let ours = try await broker.client()
      let run = try await broker.jobctl("ping")
      #expect(run.code == 1 && run.errors.contains("(RESOURCE_EXHAUSTED)"), "\(run)")
      #expect(try await jobctl(broker, "ping", by: somebody).code == 0)
      try await ours.ping()
      await ours.close()
    }
  }

  // MARK: Who may operate

  /// What only operators may do, as arguments of `jobctl`.
  private func operations(_ broker: BrokerProcess) async throws -> [[String]] {
    let id = try await broker.client().create(NewJob(type: "t")).job.id
    return [
      ["pause", "t"], ["resume", "t"], ["prune", "--older-than", "1h"], ["reap", "--timeout", "1h"],
      ["backup", broker.directory.file("\(id).db")], ["delete", "\(id)"],
    ]
  }

  private func run(_ operation: [String], _ broker: BrokerProcess, by person: Person) async throws -> Finished
  {
    try await Finished.running(
      person.wrapper + [Products.jobctl] + operation, environment: ["JOBBROKER_SOCKET": broker.socket])
  }

  @Test func onlyOperatorsMayDoWhatOperatorsDo() async throws {
    var (requests, violations) = (0, 0)
    try await withOpenBroker("--operator-gid", "\(Self.group)") { broker in
      for person in [member, supplementaryMember] {
        for operation in try await operations(broker) {
          let refused = try await run(operation, broker, by: somebody)
          expectRefusal(refused, "your uid is \(somebody.user)")
          let done = try await run(operation, broker, by: person)
          #expect(done.code == 0, "\(operation): \(done)")
          requests += 2
          violations += (refused.code == 1 ? 0 : 1) + (done.code == 0 ? 0 : 1)
        }
      }
      #expect(try await jobctl(broker, "create", "--type", "t", by: somebody).code == 0)
    }
    CampaignOutcome(
      promise: "only operators operate", done: "every operation of theirs, asked by processes of other users",
      count: "\(requests) requests", violations: violations
    ).report()
  }

  @Test func withoutAnOperatorGroupOnlyTheBrokersUserAndRootOperate() async throws {
    let owner = Person(user: 23_461, group: 34_570)
    let fellow = Person(user: 23_462, group: 34_570, groups: [0, 34_570])
    try await withOpenBroker(by: owner) { broker in
      for operation in try await operations(broker) {
        expectRefusal(try await run(operation, broker, by: fellow), "your uid is \(fellow.user)")
        let done = try await run(operation, broker, by: owner)
        #expect(done.code == 0, "\(operation): \(done)")
      }
      for operation in try await operations(broker) {
        let done = try await run(operation, broker, by: Person(user: 0, group: 0))
        #expect(done.code == 0, "\(operation): \(done)")
      }
    }
  }
}
