import Foundation
import JobBrokerClient
import Testing

/// Who may do what, asked by processes of other users. Only root can start those.
@Suite(.enabled(if: geteuid() == 0, "starting processes of other users needs root"))
struct AccessTests {
  /// Users and groups that need not exist.
  private static let user: UInt32 = 23_456
  private static let otherUser: UInt32 = 23_457
  private static let group: UInt32 = 34_567
  private static let otherGroup: UInt32 = 34_568

  /// Runs `jobctl` as a user of a group, and of no other.
  private func jobctl(
    _ broker: BrokerProcess, _ arguments: String..., user: UInt32, group: UInt32 = otherGroup
  ) async throws -> Finished {
    try await Finished.running(
      ["/usr/bin/setpriv", "--reuid=\(user)", "--regid=\(group)", "--clear-groups", Products.jobctl]
        + arguments, environment: ["JOBBROKER_SOCKET": broker.socket])
  }

  /// A broker whose socket everybody may reach.
  private func withOpenBroker(
    _ arguments: String..., body: (BrokerProcess) async throws -> Void
  ) async throws {
    let directory = TemporaryDirectory()
    try #require(chmod(directory.path, 0o711) == 0)
    let broker = try await BrokerProcess.start(in: directory, ["--socket-mode", "0666"] + arguments)
    try await body(broker)
    #expect(await broker.process.stop() == 0)
  }

  private func expectRefusal(_ run: Finished, _ text: String) {
    #expect(run.code == 1, "\(run)")
    #expect(run.errors.contains("(PERMISSION_DENIED)") && run.errors.contains(text), "\(run)")
  }

  @Test func theModeOfTheSocketKeepsOthersOut() async throws {
    let directory = TemporaryDirectory()
    try #require(chmod(directory.path, 0o711) == 0)
    let broker = try await BrokerProcess.start(in: directory)
    let run = try await jobctl(broker, "ping", user: Self.user)
    #expect(run.code == 3 && run.errors.contains("Permission denied"), "\(run)")
    await broker.process.stop()
  }

  @Test func withoutAListWhoeverReachesTheSocketMayWork() async throws {
    try await withOpenBroker { broker in
      let run = try await jobctl(broker, "create", "--type", "t", user: Self.user)
      #expect(run.code == 0, "\(run)")
      let workers = try await jobctl(broker, "workers", "--json", user: Self.otherUser)
      #expect(workers.output.contains(#""uid":\#(Self.otherUser)"#), "the kernel's word is not shown")
    }
  }

  @Test func withAListOfUsersOnlyThoseAndRootAreLetIn() async throws {
    try await withOpenBroker("--allow-uid", "\(Self.user)") { broker in
      #expect(try await jobctl(broker, "ping", user: Self.user).code == 0)
      #expect(try await broker.jobctl("ping").code == 0)
      expectRefusal(try await jobctl(broker, "ping", user: Self.otherUser), "--allow-uid")
    }
  }

  @Test func withAListOfGroupsOnlyTheirMembersAreLetIn() async throws {
    try await withOpenBroker("--allow-gid", "\(Self.group)") { broker in
      #expect(try await jobctl(broker, "ping", user: Self.user, group: Self.group).code == 0)
      expectRefusal(try await jobctl(broker, "ping", user: Self.user), "--allow-gid")
    }
  }

  @Test func onlyOperatorsMayDoWhatOperatorsDo() async throws {
    try await withOpenBroker("--operator-gid", "\(Self.group)") { broker in
      let id = try await broker.client().create(NewJob(type: "t")).job.id
      let operations = [
        ["pause", "t"], ["resume", "t"], ["prune", "--older-than", "1h"], ["reap", "--timeout", "1h"],
        ["backup", broker.directory.file("copy.db")], ["delete", "\(id)"],
      ]
      for operation in operations {
        let command = ["/usr/bin/setpriv", "--reuid=\(Self.user)", "--clear-groups"]
        let environment = ["JOBBROKER_SOCKET": broker.socket]
        let tail = [Products.jobctl] + operation
        expectRefusal(
          try await Finished.running(
            command + ["--regid=\(Self.otherGroup)"] + tail, environment: environment),
          "your uid is \(Self.user)")
        let run = try await Finished.running(
          command + ["--regid=\(Self.group)"] + tail, environment: environment)
        #expect(run.code == 0, "\(operation): \(run)")
      }
      #expect(try await jobctl(broker, "create", "--type", "t", user: Self.user).code == 0)
    }
  }
}
