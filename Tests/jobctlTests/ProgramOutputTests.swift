import JobBrokerClient
import Testing

@testable import jobctl

@Suite struct ProgramOutputTests {
  /// What a program's output comes to, fed in pieces of a size.
  private func read(
    _ text: String, pieces: Int = .max
  ) -> (reports: [ProgramOutput.Report], outcome: ProgramOutput.Outcome) {
    var output = ProgramOutput()
    var reports: [ProgramOutput.Report] = []
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      output.feed(rest.prefix(pieces)) { reports.append($0) }
      rest = rest.dropFirst(pieces)
    }
    output.finish { reports.append($0) }
    return (reports, output.outcome)
  }

  @Test(arguments: [1, 2, 7, 1000])
  func readsReportsAndTheLastObjectHoweverTheyArrive(pieces: Int) {
    let text = """
      starting
      ::stage downloading é
      {"ok":false}
      ::progress 12.5
      ::stage
      {"ok":true,"n":12345678901234567890}
      done {"no":"result"}
      """
    let (reports, outcome) = read(text, pieces: pieces)
    #expect(reports == [.stage(.set("downloading é")), .progress(12.5), .stage(.clear)])
    #expect(outcome == .object(#"{"ok":true,"n":12345678901234567890}"#))
  }

  @Test func whatOnlyLooksLikeAnObjectIsNoResult() {
    #expect(read("{oops}\n{\"a\":1} trailing\n[1]\n42").outcome == .nothing)
    #expect(read("{\"a\":1}\n{oops}").outcome == .object("{\"a\":1}"))
  }

  @Test(arguments: [1, 3, 100_000])
  func anIndentedObjectIsAResultAndAnIndentedReportIsNone(pieces: Int) {
    #expect(read("{\"a\":1}\n \t{\"a\":2}", pieces: pieces).outcome == .object("{\"a\":2}"))
    let large = #"{"p":"\#(String(repeating: "x", count: ProgramOutput.lineLimit))"}"#
    #expect(read("  \(large)\n", pieces: pieces).outcome == .object(large))
    #expect(read("  ::progress 5\n", pieces: pieces).reports.isEmpty)
  }

  @Test func acceptsLinesThatEndAsOnWindows() {
    let (reports, outcome) = read("::progress 5\r\n{\"a\":1}\r\n")
    #expect(reports == [.progress(5)])
    #expect(outcome == .object("{\"a\":1}"))
  }

  @Test(arguments: ["::progress", "::progress abc", "::progress nan", "::progress 101", "::progress -1"])
  func saysWhatIsWrongWithProgress(line: String) {
    guard case .malformed = ProgramOutput.report(line) else {
      Issue.record("\(line) was taken")
      return
    }
  }

  @Test func aStageOfMoreThanTheLimitIsMalformed() {
    #expect(ProgramOutput.report("::stage " + String(repeating: "s", count: Limits.name)) != nil)
    guard case .malformed = ProgramOutput.report("::stage " + String(repeating: "s", count: Limits.name + 1))
    else {
      Issue.record("a long stage was taken")
      return
    }
  }

  @Test(arguments: ["::", "::stagecoach x", ":: stage x", " ::stage x", "::progressive 5"])
  func otherLinesAreNoReports(line: String) {
    #expect(ProgramOutput.report(line) == nil)
  }

  @Test func aResultMayBeAsLargeAsThePayloadLimitAndNoLarger() {
    let frame = #"{"p":""}"#.utf8.count
    let largest = #"{"p":"\#(String(repeating: "x", count: Limits.payload - frame))"}"#
    #expect(read(largest, pieces: 65_536).outcome == .object(largest))
    let larger = #"{"p":"\#(String(repeating: "x", count: Limits.payload - frame + 1))"}"#
    #expect(read(larger, pieces: 65_536).outcome == .tooLarge(Limits.payload + 1))
  }

  @Test func aResultThatIsTooDeepIsNotTheOneBefore() {
    let deep =
      #"{"a":"# + String(repeating: "[", count: Limits.depth) + String(repeating: "]", count: Limits.depth)
    #expect(read("{}\n\(deep)}\n").outcome == .tooDeep)
    #expect(read("\(deep)}\n{}\n").outcome == .object("{}"))
  }

  @Test func aLineThatIsTooLongIsNoReportAndDoesNotHideTheNext() {
    let long = "::stage " + String(repeating: "s", count: ProgramOutput.lineLimit)
    #expect(read("\(long)\n::progress 1\n").reports == [.progress(1)])
  }
}

@Suite struct LineSplitterTests {
  @Test func keepsNoMoreThanTheLimit() {
    var splitter = LineSplitter(limit: 10, objectLimit: 20)
    var lines: [LineSplitter.Line] = []
    splitter.feed(Array(String(repeating: "x", count: 1000).utf8)) { lines.append($0) }
    splitter.feed(Array("{\n{123456789012345678901234\n".utf8)) { lines.append($0) }
    #expect(lines.map(\.bytes.count) == [10, 20])
    #expect(lines.map(\.length) == [1001, 25])
  }
}

@Suite struct TailTests {
  @Test func keepsTheEnd() {
    var tail = Tail(limit: 4)
    for byte in "abcdefghijklmnopqrstuvwxyz".utf8 { tail.feed([byte]) }
    #expect(tail.text == "wxyz")
  }

  @Test func dropsHalfACharacterAndWhatAStringMayNotHold() {
    var tail = Tail(limit: 6)
    tail.feed(Array("ééééé".utf8.dropLast()))
    #expect(tail.text == "éé\u{FFFD}")
    var binary = Tail(limit: 100)
    binary.feed([0, 0x61, 0x1B, 0x62, 0x0A, 0x63, 0x0A])
    #expect(binary.text == "ab\nc")
  }
}

@Suite struct WorkEndingTests {
  @Test func exitStatusZeroCompletes() {
    #expect(WorkEnding(status: .exited(0), outcome: .nothing, errors: "noise") == .complete(result: nil))
    #expect(WorkEnding(status: .exited(0), outcome: .object("{}"), errors: "") == .complete(result: "{}"))
  }

  @Test func temporaryFailureIsRetryable() {
    #expect(
      WorkEnding(status: .exited(75), outcome: .object("{}"), errors: "busy")
        == .retryable("exit status 75: busy"))
  }

  @Test func anyOtherEndFails() {
    #expect(WorkEnding(status: .exited(1), outcome: .object("{}"), errors: "") == .failed("exit status 1"))
    #expect(WorkEnding(status: .signaled(9), outcome: .nothing, errors: "") == .failed("killed by signal 9"))
  }

  @Test func aResultThatIsTooLargeFails() {
    let ending = WorkEnding(status: .exited(0), outcome: .tooLarge(500_000), errors: "")
    #expect(ending == .failed("the result has 500000 bytes; at most \(Limits.payload) are kept"))
  }

  @Test func aResultThatIsTooDeepFails() {
    let ending = WorkEnding(status: .exited(0), outcome: .tooDeep, errors: "")
    #expect(ending == .failed("the result is nested more than 2000 levels deep"))
  }
}

@Suite struct WorkReportTests {
  private let job = Job(
    id: .timeOrdered(), type: "a\u{9B}2Jb", status: .processing, attempt: 1,
    createdAt: Timestamp(milliseconds: 0), updatedAt: Timestamp(milliseconds: 0))

  @Test func aTypeCanNotSteerTheTerminal() {
    let report = WorkReport(job: job, ending: .complete(result: nil), time: .seconds(1))
    #expect(report.text == "\(job.id) a?2Jb complete after 1.0 s")
  }

  @Test func whatTheBrokerDidNotTakeIsNoEnding() {
    let refusal = JobError(.staleClaim, "too late")
    let report = WorkReport(job: job, ending: .complete(result: "{}"), time: .zero, refusal: refusal)
    #expect(report.json.text.hasSuffix(#""ending":"not taken","duration_ms":0,"error":"too late"}"#))
    let stopped = WorkReport(job: job, ending: .stopped, time: .zero, refusal: refusal)
    #expect(stopped.json.text.hasSuffix(#""ending":"stopped","duration_ms":0}"#))
  }
}
