import Foundation
import JobBrokerClient
import TestSupport
import Testing

/// What `jobctl bench` leaves behind when it does not get to its end.
@Suite(.timeLimit(.minutes(10))) struct JobctlBenchTests {
  private static let endless = ["bench", "--clients", "4", "--jobs", "1000000"]

  @Test(arguments: [SIGINT, SIGHUP])
  func anInterruptedRunTakesItsJobsWithIt(signal: Int32) async throws {
    try await withBroker { broker in
      let client = try await broker.client()
      let bench = try ChildProcess(
        Products.jobctl, Self.endless, environment: ["JOBBROKER_SOCKET": broker.socket])
      try await until({ try await client.list(JobFilter(status: .complete)).jobs }) { !$0.isEmpty }
      #expect(await bench.stop(signal) == 128 + signal)
      #expect(await bench.allErrors() == "")
      #expect(try await client.list().jobs.isEmpty)
    }
  }

  @Test(arguments: [(SIGINT, 130), (SIGHUP, 129), (SIGKILL, -SIGKILL)] as [(Int32, Int32)])
  func aBrokerOfItsOwnAndItsFilesGoWithIt(signal: Int32, code: Int32) async throws {
    let directory = TemporaryDirectory()
    let bench = try ChildProcess(
      Products.jobctl, Self.endless + ["--durability", "relaxed", "--directory", directory.path])
    func entries() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: directory.path) }
    try await until(entries) { !$0.isEmpty }
    let socket = directory.file(try #require(try entries().first)) + "/broker.sock"
    let configuration = JobBrokerClient.Configuration(socketPath: socket, requestTimeout: .seconds(600))
    let client = try await JobBrokerClient.connect(configuration, waitsForBroker: true)
    try await until({ try await client.list(JobFilter(status: .complete)).jobs }) { !$0.isEmpty }
    let pid = try await client.stats().pid
    await client.close()
    #expect(await bench.stop(signal) == code)
    try await until(entries, \.isEmpty)
    try await until({ kill(pid_t(pid), 0) == 0 && !isZombie(pid_t(pid)) }) { !$0 }
  }

  @Test func aBrokerThatIsNotBesideItIsMissedInWords() async throws {
    let directory = TemporaryDirectory()
    try FileManager.default.copyItem(atPath: Products.jobctl, toPath: directory.file("jobctl"))
    let run = try await Finished.running([directory.file("jobctl"), "bench", "--durability", "relaxed"])
    #expect(run.code == 3 && run.errors.contains("There is no \(directory.file("jobbrokerd"))"), "\(run)")
  }

  /// Whether a process has ended, and nobody has waited for it.
  private func isZombie(_ pid: pid_t) -> Bool {
    let status = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)
    return status?.split(separator: " ").dropFirst(2).first == "Z"
  }
}
