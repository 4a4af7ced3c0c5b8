import JobBrokerClient
import Testing

@testable import jobctl

@Suite struct TableTests {
  private let wide = Terminal(isInteractive: true, hasUnicode: true, columns: 80)

  @Test func alignsColumnsUnderTheirTitles() {
    var table = Table(.left("NAME"), .right("COUNT"), .left("NOTE"))
    table.rows = [["a", "7", "x"], ["longer", "1,234", "y"]]
    #expect(
      table.rendered(for: .none) == """
        NAME    COUNT  NOTE
        a           7  x
        longer  1,234  y

        """)
  }

  @Test func leavesOutAColumnThatNoRowFills() {
    var table = Table(.left("A"), .left("B"))
    table.rows = [["1", ""], ["2", ""]]
    #expect(table.rendered(for: .none) == "A\n1\n2\n")
  }

  @Test func shrinksTextToTheTerminalButNotToAPipe() {
    var table = Table(.left("ID"), .text("ERROR"))
    table.rows = [["1", Styled(String(repeating: "e", count: 100))]]
    let onTerminal = table.rendered(for: wide).split(separator: "\n")
    #expect(onTerminal.allSatisfy { $0.count <= 80 })
    #expect(onTerminal[1].hasSuffix("e…"))
    #expect(table.rendered(for: .none).contains(String(repeating: "e", count: 100)))
  }

  @Test func coloursDoNotMoveColumns() {
    var table = Table(.left("A"), .left("B"))
    table.rows = [[Styled("red", .red), "x"], ["plain", "y"]]
    let coloured = table.rendered(for: Terminal(isInteractive: true, hasColor: true))
    #expect(coloured.contains("\u{1B}[31mred\u{1B}[0m    x\n"))
  }

  @Test func textFromElsewhereCanNotSteerTheTerminal() {
    #expect(Styled("a\u{1B}[2Jb\nc\u{202E}d").text == "a?[2Jb c?d")
  }
}

@Suite struct TextWidthTests {
  @Test(arguments: [
    ("", 0), ("abc", 3), ("é…█", 3), ("e\u{301}", 1), ("録音", 4), ("🎧", 2), ("❤\u{FE0F}", 2), ("ａ한글", 6),
    ("a録b", 4),
  ])
  func columns(text: String, columns: Int) {
    #expect(text.columns == columns)
  }

  @Test(arguments: [(8, "録音スタ"), (7, "録音ス…"), (6, "録音…"), (2, "…"), (1, ""), (0, "")])
  func aCutLeavesNoHalfCharacter(width: Int, text: String) {
    #expect(Styled("録音スタ").cut(to: width, unicode: true).text == text)
  }

  @Test(arguments: [(8, "録音スタ"), (7, "録音..."), (3, "録"), (1, "")])
  func aCutIsMarkedInASCIIWhereThereIsNothingElse(width: Int, text: String) {
    #expect(Styled("録音スタ").cut(to: width, unicode: false).text == text)
  }

  @Test func wideCharactersDoNotMoveColumns() {
    var table = Table(.left("A"), .left("B"))
    table.rows = [["録音", "x"], ["plain", "y"]]
    #expect(table.rendered(for: .none) == "A      B\n録音   x\nplain  y\n")
  }
}

@Suite struct ProgressBarTests {
  @Test(arguments: [
    (0.0, "[..........]"), (50, "[#####.....]"), (99.9, "[#########.]"), (100, "[##########]"),
    (-5, "[..........]"), (250, "[##########]"), (.nan, "[..........]"),
  ])
  func fillsFromLeftToRight(progress: Double, bar: String) {
    #expect(ProgressBar.text(progress, width: 12, unicode: false) == bar)
  }

  @Test(arguments: [0, 0.1, 6.25, 33, 50, 99.99, 100])
  func isAsWideAsAskedFor(progress: Double) {
    #expect(ProgressBar.text(progress, width: 8, unicode: true).count == 8)
  }

  @Test func showsEighthsOfACharacter() {
    #expect(ProgressBar.text(56.25, width: 4, unicode: true) == "██▎░")
  }
}

@Suite struct QuantityTests {
  private let now = Timestamp(milliseconds: 1_000_000_000)

  @Test(arguments: [
    (0, "now"), (-900, "now"), (-3_000, "3 s ago"), (-59_999, "59 s ago"), (-300_000, "5 min ago"),
    (-7_200_000, "2 h ago"), (-259_200_000, "3 d ago"), (10_000, "in 10 s"), (120_000, "in 2 min"),
  ])
  func relativeTimes(offset: Int64, text: String) {
    #expect(Quantity.relative(Timestamp(milliseconds: now.milliseconds + offset), to: now) == text)
  }

  @Test(arguments: [
    (850, "850 ms"), (3_210, "3.2 s"), (125_000, "2 min 05 s"), (3_720_000, "1 h 02 min"),
    (273_600_000, "3 d 04 h"), (-5, "0 ms"),
  ])
  func durations(milliseconds: Int, text: String) {
    #expect(Quantity.duration(.milliseconds(milliseconds)) == text)
  }

  @Test(arguments: [
    (87_400, "87.4 µs"), (412_000, "412 µs"), (1_250_000, "1.25 ms"), (2_100_000_000, "2.10 s"),
  ])
  func latencies(nanoseconds: UInt64, text: String) {
    #expect(Quantity.latency(nanoseconds: nanoseconds, unicode: true) == text)
    let ascii = text.replacing("µ", with: "u")
    #expect(Quantity.latency(nanoseconds: nanoseconds, unicode: false) == ascii)
  }

  @Test(arguments: [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567"), (-1_000, "-1,000")])
  func groupsOfThree(value: Int, text: String) {
    #expect(Quantity.grouped(value) == text)
  }

  @Test(arguments: [(0.999, 2, "1.00"), (-0.001, 1, "0.0"), (12.345, 1, "12.3"), (7.5, 0, "8")])
  func fixedDecimals(value: Double, decimals: Int, text: String) {
    #expect(Quantity.fixed(value, decimals: decimals) == text)
  }

  @Test(arguments: [(812, "812 B"), (1_536, "1.5 KiB"), (25_165_824, "24.0 MiB")])
  func bytes(count: Int, text: String) {
    #expect(Quantity.bytes(count) == text)
  }
}

@Suite struct JobTextTests {
  @Test(arguments: [50, 80, 100, 120, 200])
  func noLineOfAListIsWiderThanTheTerminal(columns: Int) {
    let now = Timestamp.now
    var jobs = JobStatus.allCases.map { status in
      var job = Job(
        id: .timeOrdered(), type: "a type that has a name", status: status, progress: 40, attempt: 12,
        createdAt: now - .seconds(3599), updatedAt: now)
      job.stage = "decoding the sound"
      job.startedAt = now - .seconds(3599)
      job.error = "the source is gone, and nothing else is there"
      job.worker = WorkerIdentity(name: "worker-with-a-name", pid: 12345, uid: 1000)
      return job
    }
    jobs[0].type = "録音スタジオの録音スタジオ"
    let table = JobText.table(jobs, now: now, terminal: Terminal(isInteractive: true, columns: columns))
    let lines = table.split(separator: "\n")
    #expect(lines.allSatisfy { String($0).columns <= columns }, "\n\(table)")
    #expect(lines[0].hasPrefix("ID ") && lines[0].contains("TYPE") && lines[0].contains("STATUS"))
    #expect(lines[0].contains("ERROR") == (columns > 50))
    #expect(lines[0].contains("TRY") == (columns > 100))
  }

  @Test func aShownIDIsThatOfOneJobOfItsBatchWhicheverAreShown() throws {
    let now = Timestamp(milliseconds: 1_700_000_000_000)
    var random = SystemRandomNumberGenerator()
    // No two of them share the first bits that are random.
    let batch = (0..<UInt64(Limits.createBatch)).map { number in
      JobID.timeOrdered(at: now, random: (number, random.next()))
    }
    for id in [batch[0], batch[500]] {
      let job = Job(id: id, type: "t", createdAt: now, updatedAt: now)
      let table = JobText.table([job], now: now, terminal: Terminal(isInteractive: true))
      let shown = try #require(table.split(separator: "\n").last?.split(separator: " ").first)
      let reference = try #require(JobReference(argument: String(shown)))
      #expect(shown.count < 36)
      #expect(try reference.choose(among: batch) == id)
    }
  }
}
