import Foundation
import JobBrokerClient
import TestSupport
import Testing

/// `jobctl` on a terminal.
@Suite(.timeLimit(.minutes(10))) struct JobctlTerminalTests {
  /// A program on a terminal of its own, and what it writes there, piece by piece.
  private struct Scene {
    let process: ChildProcess
    var output: AsyncStream<String>.Iterator

    init(_ broker: BrokerProcess, _ arguments: String...) throws {
      // What posix_openpt(3) and its like do, which are not in Swift's module of the C library: pts(4), ioctl_tty(2).
      let terminal = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
      let (unlock, getNumber): (UInt, UInt) = (0x4004_5431, 0x8004_5430)
      var (isLocked, number): (Int32, Int32) = (0, 0)
      try #require(ioctl(terminal, unlock, &isLocked) == 0)
      try #require(ioctl(terminal, getNumber, &number) == 0)
      let file = open("/dev/pts/\(number)", O_RDWR | O_NOCTTY | O_CLOEXEC)
      try #require(file >= 0)
      let end = FileHandle(fileDescriptor: file, closeOnDealloc: true)
      process = try ChildProcess(
        "/bin/sh", ["-c", #"exec "$0" "$@" >&0"#, Products.jobctl] + arguments,
        environment: ["JOBBROKER_SOCKET": broker.socket, "TERM": "xterm", "LC_ALL": "C.UTF-8"], input: end)
      let (pieces, feed) = AsyncStream.makeStream(of: String.self)
      output = pieces.makeAsyncIterator()
      Thread.detachNewThread {
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = read(terminal, &bytes, bytes.count), count > 0 {
          feed.yield(String(decoding: bytes[..<count], as: UTF8.self))
        }
        close(terminal)
        feed.finish()
      }
    }

    /// Waits for a number of pictures.
    mutating func pictures(_ count: Int) async throws {
      var count = count
      while count > 0 {
        let piece = try #require(await output.next())
        count -= piece.components(separatedBy: "\u{1B}[J").count - 1
      }
    }

    /// Waits for a text.
    mutating func text(_ text: String) async throws {
      var output = ""
      while !output.contains(text) { output += try #require(await self.output.next()) }
    }

    /// The rest of the output.
    mutating func rest() async -> String {
      var text = ""
      while let piece = await output.next() { text += piece }
      return text
    }
  }

  @Test(arguments: [SIGINT, SIGTERM, SIGQUIT, SIGHUP])
  func aWatchLivesAndEndsWhileTheBrokerDoesNotAnswer(signal: Int32) async throws {
    try await withBroker { broker in
      let client = try await broker.client()
      // More than a picture has lines, so that to wait for an answer about each of them is to wait for ever.
      _ = try await client.create((1...30).map { _ in NewJob(type: "t") })
      var watch = try Scene(broker, "watch")
      try await watch.pictures(1)
      broker.process.suspend()
      defer { broker.process.send(SIGCONT) }
      try await watch.pictures(4)
      #expect(await watch.process.stop(signal) == 128 + signal)
      #expect(await watch.rest().hasSuffix("\u{1B}[?25h"), "the cursor is hidden")
    }
  }

  @Test func aSuspendedWatchShowsTheCursorAndDrawsAgainWhenItGoesOn() async throws {
    try await withBroker { broker in
      var watch = try Scene(broker, "watch")
      try await watch.pictures(1)
      let pid = watch.process.pid
      watch.process.send(SIGTSTP)
      try await watch.text("\u{1B}[?25h")
      try await until({ try String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8) }) {
        $0.contains(") T ")
      }
      watch.process.send(SIGCONT)
      try await watch.text("\u{1B}[?25l")
      try await watch.pictures(1)
      #expect(await watch.process.stop(SIGINT) == 130)
    }
  }
}
