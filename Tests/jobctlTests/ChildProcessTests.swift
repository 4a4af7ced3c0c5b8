import Subprocess
import Synchronization
import Testing

@testable import jobctl

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// These run real programs; they wait for what the programs say, never for time.
@Suite struct ChildProcessTests {
  /// Everything a program wrote.
  private static let text: ChildProcess.Reader<String> = { stream in
    var bytes: [UInt8] = []
    do {
      for try await buffer in stream { buffer.withUnsafeBytes { bytes.append(contentsOf: $0) } }
    } catch {
      Issue.record(error)
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static let nothing: ChildProcess.Reader<Void> = { _ = await text($0) }

  private func shell(_ script: String, input: String = "") -> ChildProcess {
    ChildProcess(command: ["/bin/sh", "-c", script], input: Array(input.utf8))
  }

  @Test func hasItsInputItsEnvironmentAndBothOutputs() async throws {
    var child = shell(#"cat; echo "$JOB_TYPE" >&2; exit 3"#, input: "hello")
    child.environment = ["JOB_TYPE": "ingest"]
    let ending = try await child.run(output: Self.text, errors: Self.text)
    #expect(ending.status == .exited(3))
    #expect(ending.output == "hello")
    #expect(ending.errors == "ingest\n")
    #expect(!ending.wasStopped)
  }

  @Test func leadsAProcessGroupOfItsOwn() async throws {
    let group = Mutex<ProcessGroup?>(nil)
    let ending = try await shell("echo $$; ps -o pgid= -p $$").run {
      started in
      group.withLock { $0 = started }
    } output: {
      await Self.text($0)
    } errors: {
      await Self.text($0)
    }
    let numbers = ending.output.split(whereSeparator: \.isWhitespace).compactMap { pid_t($0) }
    #expect(numbers == [ending.group.id, ending.group.id])
    #expect(group.withLock { $0 } == ending.group)
  }

  @Test func needNotReadItsInput() async throws {
    let input = String(repeating: "x", count: 8 << 20)
    let ending = try await shell("echo done", input: input).run(output: Self.text, errors: Self.text)
    #expect(ending.status == .exited(0))
    #expect(ending.output == "done\n")
  }

  @Test func mayCloseItsInputAndWriteMuchMeanwhile() async throws {
    let input = String(repeating: "x", count: 1 << 20)
    let script = "exec 0<&-; head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2"
    let ending = try await shell(script, input: input).run(output: Self.text, errors: Self.text)
    #expect(ending.status == .exited(0))
    #expect(ending.output.utf8.count == 3_000_000)
    #expect(ending.errors.utf8.count == 3_000_000)
  }

  @Test func pipesWithinTheProgramBreakAsUsual() async throws {
    let ending = try await shell("yes | head -n 1").run(output: Self.text, errors: Self.text)
    #expect(ending.output == "y\n")
    #expect(ending.errors == "")
  }

  @Test func aLineWithoutEndIsReadInBoundedMemory() async throws {
    let ending = try await shell("head -c 5000000 /dev/zero; echo; echo '::progress 7'").run { stream in
      var output = ProgramOutput()
      var reports: [ProgramOutput.Report] = []
      do {
        for try await buffer in stream {
          buffer.withUnsafeBytes { bytes in output.feed(bytes) { reports.append($0) } }
        }
      } catch {
        Issue.record(error)
      }
      return reports
    } errors: {
      await Self.text($0)
    }
    #expect(ending.output == [.progress(7)])
  }

  @Test func aProgramThatIsNotThereThrows() async {
    await #expect(throws: SubprocessError.self) {
      try await ChildProcess(command: ["/no/such/program"]).run(output: Self.nothing, errors: Self.nothing)
    }
  }

  /// Runs a program, cancels it when it has written its first line, and returns how it ended.
  private func cancelled(_ child: ChildProcess) async throws -> ChildProcess.Ending<String, String> {
    let (ready, report) = AsyncStream<Void>.makeStream()
    let run = Task {
      try await child.run { stream in
        var text: [UInt8] = []
        do {
          for try await buffer in stream {
            buffer.withUnsafeBytes { text.append(contentsOf: $0) }
            if text.contains(UInt8(ascii: "\n")) { report.finish() }
          }
        } catch {
          Issue.record(error)
        }
        report.finish()
        return String(decoding: text, as: UTF8.self)
      } errors: {
        await Self.text($0)
      }
    }
    for await _ in ready {}
    run.cancel()
    return try await run.value
  }

  @Test func cancellationIsSIGTERMToTheWholeGroup() async throws {
    // The grandchild would outlive the test's patience; nothing but a signal ends it.
    var child = shell("sleep 3600 & echo $!; wait")
    child.grace = .seconds(3600)
    let ending = try await cancelled(child)
    #expect(ending.status == .signaled(SIGTERM))
    #expect(ending.wasStopped)
    #expect(!ending.group.isRunning)
    let grandchild = try #require(pid_t(ending.output.prefix { $0 != "\n" }))
    #expect(!isRunning(grandchild))
  }

  @Test func theLastWordsOfACancelledProgramAreHeard() async throws {
    let script = "trap 'echo goodbye; exit 9' TERM; echo ready; while :; do sleep 0.01; done"
    var child = shell(script)
    child.grace = .seconds(3600)
    let ending = try await cancelled(child)
    #expect(ending.output == "ready\ngoodbye\n")
    #expect(ending.status == .exited(9))
    #expect(ending.wasStopped)
  }

  @Test func aGroupThatIgnoresSIGTERMIsKilledAfterTheGrace() async throws {
    // `trap ''` is inherited: the shell and its child both ignore SIGTERM.
    var child = shell("trap '' TERM; sleep 3600 & echo $!; wait; sleep 3600")
    child.grace = .milliseconds(50)
    let ending = try await cancelled(child)
    #expect(ending.status == .signaled(SIGKILL))
    let grandchild = try #require(pid_t(ending.output.prefix { $0 != "\n" }))
    #expect(!isRunning(grandchild))
  }

  @Test func aGrandchildThatIgnoresSIGTERMDoesNotOutliveItsParent() async throws {
    // The shell dies of SIGTERM; only its child ignores it.
    var child = shell("(trap '' TERM; exec sleep 3600) & echo $!; wait")
    child.grace = .milliseconds(50)
    let ending = try await cancelled(child)
    #expect(ending.wasStopped)
    let grandchild = try #require(pid_t(ending.output.prefix { $0 != "\n" }))
    #expect(!isRunning(grandchild))
  }

  @Test func whatAProgramLeavesBehindEndsWithIt() async throws {
    let ending = try await shell("sleep 3600 & echo $!; exit 0").run(output: Self.text, errors: Self.text)
    #expect(ending.status == .exited(0))
    #expect(!ending.wasStopped)
    let grandchild = try #require(pid_t(ending.output.prefix { $0 != "\n" }))
    #expect(!isRunning(grandchild))
  }

  @Test func cancellationBeforeTheStartStopsTheProgramToo() async throws {
    let child = shell("sleep 3600")
    let run = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      return try await child.run(output: Self.text, errors: Self.text)
    }
    #expect(try await run.value.wasStopped)
  }

  @Test func theWatchdogKillsWhatIsWatchedWhenItsPipeEnds() async throws {
    // The body ends without forgetting the group, which is what the death of jobctl looks like from outside.
    let (groups, started) = AsyncStream<ProcessGroup>.makeStream()
    let child = shell("trap '' TERM; echo ready; while :; do sleep 3600; done")
    let run = Task {
      try await child.run(onStart: { started.yield($0) }, output: Self.text, errors: Self.text)
    }
    try await Watchdog.guarding { watchdog in
      let forgotten = ProcessGroup(id: getpid())
      await watchdog.watch(forgotten)
      for await group in groups {
        await watchdog.watch(group)
        break
      }
      await watchdog.forget(forgotten)
    }
    #expect(try await run.value.status == .signaled(SIGKILL))
  }

  /// Whether a process runs; one that is dead and not yet waited for does not.
  private func isRunning(_ process: pid_t) -> Bool {
    guard kill(process, 0) == 0, let file = fopen("/proc/\(process)/stat", "r") else { return false }
    defer { fclose(file) }
    var line = [UInt8](repeating: 0, count: 512)
    let count = fread(&line, 1, line.count, file)
    return !String(decoding: line[..<count], as: UTF8.self).contains(") Z ")
  }
}
