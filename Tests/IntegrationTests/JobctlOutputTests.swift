import Foundation
import JobBrokerClient
import TestSupport
import Testing

/// `jobctl` when nobody reads what it prints, or it can't be written.
@Suite(.timeLimit(.minutes(10))) struct JobctlOutputTests {
  /// `jobctl work` after the shell has made what is to be its output, a pipe at `$1`.
  private func worker(
    _ broker: BrokerProcess, script: String, _ arguments: String...
  ) throws -> ChildProcess {
    let script = script + #"; shift; exec "$0" work --type t "$@""#
    return try ChildProcess(
      "/bin/sh", ["-c", script, Products.jobctl, broker.directory.file("pipe")] + arguments,
      environment: ["JOBBROKER_SOCKET": broker.socket])
  }

  /// Three jobs that the worker completes, each at the first attempt.
  private func expectWork(_ broker: BrokerProcess) async throws {
    let client = try await broker.client()
    let ids = try await client.create((1...3).map { _ in NewJob(type: "t") }).map(\.job.id)
    let watch = try await broker.jobctl(["watch", "--until-finished"] + ids.map(\.description))
    #expect(watch.code == 0, "\(watch)")
    for id in ids { #expect(try await client.get(id)?.attempt == 1) }
  }

  @Test func whoClosesTheOutputOfAWorkerTakesNoWorkFromIt() async throws {
    try await withBroker { broker in
      let worker = try worker(
        broker, script: #"mkfifo "$1"; exec 3<>"$1" >"$1" 3<&-"#, "--json", "--", "/bin/true")
      try await expectWork(broker)
      #expect(await worker.stop() == 0)
    }
  }

  @Test func aWorkerWhoseOutputNobodyReadsWorksOnAndCanBeStopped() async throws {
    try await withBroker { broker in
      let full = #"mkfifo "$1"; exec 3<>"$1"; dd if=/dev/zero of="$1" bs=4096 oflag=nonblock 2>/dev/null"#
      let worker = try worker(
        broker, script: full + #"; exec >"$1" 2>&1"#, "--verbose", "--", "/bin/sh", "-c", "echo noise >&2")
      try await expectWork(broker)
      #expect(await worker.stop() == 0)
    }
  }

  @Test(arguments: [
    ["list", "--json"], ["list"], ["create", "--type", "x"], ["stats"], ["watch", "--type", "t"], ["--help"],
  ])
  func anOutputThatCannotBeWrittenIsAnError(arguments: [String]) async throws {
    try await withBroker { broker in
      _ = try await broker.client().create(NewJob(type: "t"))
      for (output, reason) in [("/dev/full", "No space left on device"), ("&-", "Bad file descriptor")] {
        let run = try await broker.jobctl(
          arguments, through: ["/bin/sh", "-c", #"exec "$0" "$@" >\#(output)"#])
        #expect(run.code == 1 && run.errors == "jobctl: cannot write the output: \(reason)\n", "\(run)")
      }
    }
  }

  @Test func aWorkerWhoseOutputCannotBeWrittenSaysSoOnceAndWorksOn() async throws {
    try await withBroker { broker in
      let worker = try worker(broker, script: "exec >/dev/full", "--", "/bin/true")
      try await expectWork(broker)
      #expect(await worker.stop() == 0)
      let complaint = "jobctl: cannot write the output: No space left on device\n"
      #expect(await worker.allErrors().components(separatedBy: complaint).count == 2)
    }
  }
}
