/// A bar that fills from left to right.
enum ProgressBar {
  /// A bar of exactly `width` characters, 2 or more.
  ///
  /// - Parameter progress: 0–100; anything outside counts as the nearer end.
  static func text(_ progress: Double, width: Int, unicode: Bool) -> String {
    let share = progress.isNaN ? 0 : min(max(progress / 100, 0), 1)
    return unicode ? blocks(share, width) : ascii(share, width)
  }

  /// Eighths of a block make the bar eight times as fine as its characters.
  private static func blocks(_ share: Double, _ width: Int) -> String {
    let eighths = Int((share * Double(width * 8)).rounded(.down))
    var text = String(repeating: "█", count: eighths / 8)
    if eighths % 8 > 0 { text.append(partial[eighths % 8 - 1]) }
    return text + String(repeating: "░", count: width - text.count)
  }

  private static let partial: [Character] = ["▏", "▎", "▍", "▌", "▋", "▊", "▉"]

  private static func ascii(_ share: Double, _ width: Int) -> String {
    let inner = width - 2
    let filled = Int((share * Double(inner)).rounded(.down))
    return "[" + String(repeating: "#", count: filled) + String(repeating: ".", count: inner - filled) + "]"
  }
}
