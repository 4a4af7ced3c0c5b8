/// Lines at the bottom of a terminal that are drawn again in place.
struct LiveScreen {
  private let stream = StandardStream.output
  private var height = 0

  /// Hides the cursor; `close` shows it again.
  init() {
    stream.write("\u{1B}[?25l")
  }

  /// Replaces the lines drawn before.
  mutating func draw(_ lines: [String]) {
    var text = height > 0 ? "\u{1B}[\(height)A\r" : ""
    for line in lines { text += line + "\u{1B}[K\n" }
    stream.write(text + "\u{1B}[J")
    height = lines.count
  }

  /// Leaves the last lines where they are and shows the cursor again.
  func close() {
    stream.write("\u{1B}[?25h")
  }
}
