import Foundation

/// A child process whose lines of output can be waited for. It does not outlive this object, however a test ends.
final class ChildProcess: Sendable {
  struct Ended: Error, CustomStringConvertible {
    let description: String
  }

  let pid: pid_t
  private let process: Process
  private let output: LineReader
  private let errors: LineReader
  private let exit: Task<Int32, Never>

  /// Starts a program. Its environment is this one's with `environment` laid over it.
  init(
    _ program: String, _ arguments: [String], environment: [String: String] = [:],
    input: FileHandle = .nullDevice
  ) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    let (stdout, stderr) = (Pipe(), Pipe())
    process.standardInput = input
    process.standardOutput = stdout
    process.standardError = stderr
    let (ended, continuation) = AsyncStream.makeStream(of: Int32.self)
    process.terminationHandler = {
      continuation.yield(
        $0.terminationReason == .uncaughtSignal ? -$0.terminationStatus : $0.terminationStatus)
      continuation.finish()
    }
    try process.run()
    self.process = process
    pid = process.processIdentifier
    output = LineReader(stdout.fileHandleForReading)
    errors = LineReader(stderr.fileHandleForReading)
    exit = Task { await ended.first { _ in true } ?? -1 }
  }

  deinit {
    if process.isRunning { kill(pid, SIGKILL) }
  }

  /// The next line of standard output that begins with `prefix`.
  func line(beginning prefix: String) async throws -> String {
    while let line = await output.next() {
      if line.hasPrefix(prefix) { return line }
    }
    throw Ended(description: "ended without a line '\(prefix)…': \(await allErrors())")
  }

  /// The rest of standard output, once the process has closed it.
  func allOutput() async -> String { await output.rest() }

  /// The rest of standard error, once the process has closed it.
  func allErrors() async -> String { await errors.rest() }

  func send(_ signal: Int32) { kill(pid, signal) }

  /// Waits for the end: the exit code, or the negative number of the signal that killed it.
  @discardableResult
  func waitForExit() async -> Int32 { await exit.value }

  @discardableResult
  func stop(_ signal: Int32 = SIGTERM) async -> Int32 {
    send(signal)
    return await waitForExit()
  }
}

/// How a program ended, and what it said.
struct Finished {
  let code: Int32
  let output: String
  let errors: String

  /// Runs a program to its end.
  static func running(
    _ command: [String], environment: [String: String] = [:]
  ) async throws -> Finished {
    let process = try ChildProcess(command[0], Array(command.dropFirst()), environment: environment)
    let (output, errors) = (await process.allOutput(), await process.allErrors())
    return Finished(code: await process.waitForExit(), output: output, errors: errors)
  }
}

/// Reads a pipe line by line on a thread of its own, so that no test's thread blocks and no pipe fills up.
actor LineReader {
  private var lines: AsyncStream<String>.AsyncIterator

  init(_ handle: FileHandle) {
    let (stream, continuation) = AsyncStream.makeStream(of: String.self)
    lines = stream.makeAsyncIterator()
    Thread.detachNewThread {
      var rest = Data()
      while true {
        let data = handle.availableData
        if data.isEmpty { break }
        rest += data
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
          continuation.yield(String(decoding: rest[rest.startIndex..<end], as: UTF8.self))
          rest = Data(rest[(end + 1)...])
        }
      }
      if !rest.isEmpty { continuation.yield(String(decoding: rest, as: UTF8.self)) }
      continuation.finish()
    }
  }

  func next() async -> String? {
    var iterator = lines
    let line = await iterator.next(isolation: self)
    lines = iterator
    return line
  }

  func rest() async -> String {
    var text = ""
    while let line = await next() { text += line + "\n" }
    return text
  }
}
