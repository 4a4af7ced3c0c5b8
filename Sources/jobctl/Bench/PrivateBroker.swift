import ArgumentParser
import Glibc
import JobBrokerClient
import Subprocess

/// What an acknowledged change survives: the broker's --durability.
enum Durability: String, CaseIterable, ExpressibleByArgument {
  /// A power cut.
  case full
  /// A crash of the broker.
  case relaxed
}

/// A broker with an empty store, for one run.
struct PrivateBroker {
  let durability: Durability
  /// Where its files go; on a real disk, or full durability costs nothing.
  let directory: String

  /// Runs a body with the socket of a broker that is ready, then stops the broker and removes its files. A signal
  /// cancels the body.
  func run(_ body: @escaping @Sendable (_ socketPath: String) async throws -> Void) async throws {
    guard Work.isExecutable(PrivateBroker.program) else {
      throw NoBroker(reason: "There is no \(PrivateBroker.program) to start, beside this jobctl.")
    }
    let home = try temporaryDirectory()
    try await Watchdog.guarding(removing: home) { watchdog in
      try await interruptible { try await serve(in: home, watchdog, body) }
    }
  }

  private func serve(
    in home: String, _ watchdog: Watchdog, _ body: @Sendable (_ socketPath: String) async throws -> Void
  ) async throws {
    let arguments = [
      "--socket", "\(home)/broker.sock", "--db", "\(home)/jobs.db", "--durability", durability.rawValue,
    ]
    var options = PlatformOptions()
    options.processGroupID = 0
    options.teardownSequence = [.gracefulShutDown(allowedDurationToNextStep: .seconds(10))]
    let result = try await Subprocess.run(
      .path(.init(PrivateBroker.program)), arguments: Arguments(arguments), platformOptions: options,
      input: .none,
      output: .sequence, error: .string(limit: 1 << 20)
    ) { execution in
      await watchdog.watch(ProcessGroup(id: execution.processIdentifier.value))
      var output = execution.standardOutput.strings().makeAsyncIterator()
      guard try await isReady(&output) else { return false }
      do {
        try await body("\(home)/broker.sock")
      } catch {
        try? execution.send(signal: .terminate)
        throw error
      }
      try execution.send(signal: .terminate)
      return true
    }
    await watchdog.forget(ProcessGroup(id: result.processIdentifier.value))
    guard result.closureResult else {
      throw NoBroker(reason: "\(PrivateBroker.program) did not start: \(result.standardError)")
    }
  }

  private func isReady(
    _ output: inout SubprocessOutputSequence.StringSequence<UTF8>.AsyncIterator
  ) async throws -> Bool {
    while let line = try await output.next() {
      if line.hasPrefix("ready ") { return true }
    }
    return false
  }

  /// The broker that was built with this jobctl: beside it.
  private static var program: String {
    var path = [CChar](repeating: 0, count: Limits.path + 1)
    let length = max(readlink("/proc/self/exe", &path, Limits.path), 0)
    let own = String(decoding: path.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    guard let slash = own.lastIndex(of: "/") else { return "jobbrokerd" }
    return "\(own[..<slash])/jobbrokerd"
  }

  private func temporaryDirectory() throws -> String {
    // In the place of the six letters mkdtemp(3) puts others.
    var template = "\(directory)/jobctl-bench-XXXXXX".utf8CString
    let path = template.withUnsafeMutableBufferPointer { name in
      name.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) }
    }
    guard let path else { throw ValidationError("\(directory): \(String(cString: strerror(errno))).") }
    return path
  }
}
