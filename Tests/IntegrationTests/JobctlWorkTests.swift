import Foundation
import JobBrokerClient
import TestSupport
import Testing

/// `jobctl work` when its program can't be run, and what it makes of odd results.
@Suite(.timeLimit(.minutes(10))) struct JobctlWorkTests {
  private func worker(
    _ broker: BrokerProcess, _ program: String, concurrency: Int = 1, through wrapper: [String] = []
  ) throws -> ChildProcess {
    let work = ["work", "--type", "t", "--concurrency", "\(concurrency)", "--", program]
    let command = wrapper + [Products.jobctl] + work
    return try ChildProcess(
      command[0], Array(command.dropFirst()), environment: ["JOBBROKER_SOCKET": broker.socket])
  }

  private func program(_ broker: BrokerProcess, _ text: String) throws -> String {
    let file = broker.directory.file("program")
    try text.write(toFile: file, atomically: false, encoding: .utf8)
    try #require(chmod(file, 0o700) == 0)
    return file
  }

  /// Expects that a job was claimed and is in the queue again, with no retry counted.
  private func expectReturned(_ id: JobID, _ client: JobBrokerClient) async throws {
    try await until({ try await client.get(id) }) { $0?.attempt == 1 && $0?.status != .processing }
    let job = try #require(try await client.get(id))
    try #require(job.status == .pending && job.retryCount == 0, "\(job)")
  }

  @Test func aProgramThatIsGoneCostsNoJobARetryAndLetsTheOthersFinish() async throws {
    try await withBroker { broker in
      let client = try await broker.client()
      let door = broker.directory.file("door")
      try #require(mkfifo(door, 0o600) == 0)
      let program = try program(broker, "#!/bin/sh\nrm \"$0\"\necho ::stage here\ncat \(door)\n")
      let worker = try worker(broker, program, concurrency: 2)
      let first = try await client.create(NewJob(type: "t", maxRetries: 0)).job.id
      try await until({ try await client.get(first) }) { $0?.stage == "here" }
      let second = try await client.create(NewJob(type: "t", maxRetries: 0)).job.id
      try await expectReturned(second, client)
      try Data().write(to: URL(fileURLWithPath: door))
      #expect(await worker.waitForExit() == 1)
      let errors = await worker.allErrors()
      #expect(errors.hasPrefix("jobctl: \(program) can't be run: "), "\(errors)")
      #expect(try await client.get(first)?.status == .complete)
      #expect(await worker.allOutput().contains("\(second) t not begun after"))
    }
  }

  @Test func manyProgramsRunAtOnceWhereTheUsualLimitOfFilesIsLow() async throws {
    try await withBroker { broker in
      let client = try await broker.client()
      let door = broker.directory.file("door")
      try #require(mkfifo(door, 0o600) == 0)
      let program = try program(broker, "#!/bin/sh\necho ::stage here\ncat \(door)\n")
      let low = ["/usr/bin/prlimit", "--nofile=64:4096"]
      let worker = try worker(broker, program, concurrency: 30, through: low)
      _ = try await client.create((0..<30).map { _ in NewJob(type: "t") })
      try await until({ try await client.list() }) { $0.jobs.allSatisfy { $0.stage == "here" } }
      await worker.stop(SIGKILL)
    }
  }

  @Test func aFileThatIsNoProgramCostsNoJobARetry() async throws {
    try await withBroker { broker in
      let client = try await broker.client()
      let worker = try worker(broker, try program(broker, "no program"))
      let id = try await client.create(NewJob(type: "t", maxRetries: 0)).job.id
      try await expectReturned(id, client)
      #expect(await worker.waitForExit() == 1)
    }
  }

  /// An object of this many levels.
  private func nested(_ depth: Int) -> String {
    #"{"a":"# + String(repeating: "[", count: depth - 1) + String(repeating: "]", count: depth - 1) + "}"
  }

  @Test func aResultMayBeAsDeepAsTheBrokerTakesAndADeeperOneFailsTheJob() async throws {
    try await withBroker { broker in
      let client = try await broker.client()
      let worker = try worker(broker, "/bin/cat")
      let deepest = nested(Limits.depth)
      let id = try await client.create(NewJob(type: "t", metadata: deepest)).job.id
      try await until({ try await client.get(id) }) { $0?.result == deepest }
      let error = await #expect(throws: JobError.self) {
        try await client.create(NewJob(type: "t", metadata: nested(Limits.depth + 1)))
      }
      #expect(error?.code == .invalidArgument)
      #expect(await worker.stop() == 0)
    }
  }
}
