import Foundation
import Testing

@testable import jobctl

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// These write to a pipe that nobody reads, until they do.
@Suite struct QueuedOutputTests {
  /// A pipe that has no room.
  private func fullPipe() throws -> (input: Int32, output: Int32, content: Int) {
    var ends: [Int32] = [-1, -1]
    try #require(pipe(&ends) == 0)
    let flags = fcntl(ends[1], F_GETFL)
    try #require(fcntl(ends[1], F_SETFL, flags | O_NONBLOCK) == 0)
    var content = 0
    while write(ends[1], "x", 1) == 1 { content += 1 }
    try #require(fcntl(ends[1], F_SETFL, flags) == 0)
    return (ends[0], ends[1], content)
  }

  /// What comes out of a pipe after the first bytes, up to a suffix.
  private func text(_ input: Int32, after count: Int, upTo suffix: String) -> String {
    var bytes: [UInt8] = []
    var byte: UInt8 = 0
    while !String(decoding: bytes.dropFirst(count), as: UTF8.self).hasSuffix(suffix) {
      guard read(input, &byte, 1) == 1 else { break }
      bytes.append(byte)
    }
    return String(decoding: bytes.dropFirst(count), as: UTF8.self)
  }

  @Test func whatNobodyReadsIsDroppedAndCountedInItsPlace() throws {
    let pipe = try fullPipe()
    let output = QueuedOutput(StandardStream(descriptor: pipe.output), limit: 16)
    output.write("first\n")
    output.write("second line\n")
    #expect(
      text(pipe.input, after: pipe.content, upTo: "dropped\n")
        == "first\njobctl: nobody read the output: 12 bytes of it were dropped\n")
    output.write("third\n")
    #expect(text(pipe.input, after: 0, upTo: "\n") == "third\n")
  }

  @Test func theEndOfTheReaderEndsNothingElse() throws {
    BrokenPipe.ignore()
    let pipe = try fullPipe()
    close(pipe.input)
    let output = QueuedOutput(StandardStream(descriptor: pipe.output))
    output.write("first\n")
    #expect(output.finish(patience: 60) == 0)
    output.write("second\n")
    #expect(output.finish(patience: 60) == 0)
  }

  @Test func atTheEndIsWaitedForAsLongAsSomebodyReads() throws {
    let pipe = try fullPipe()
    let output = QueuedOutput(StandardStream(descriptor: pipe.output))
    output.write(String(repeating: "x", count: 10_000))
    #expect(output.finish(patience: 0) == 10_000)
    let text = String(repeating: "y", count: 20_000)
    output.write(text)
    let reader = Thread { _ = self.text(pipe.input, after: pipe.content, upTo: text) }
    reader.start()
    #expect(output.finish(patience: 60) == 0)
  }
}
