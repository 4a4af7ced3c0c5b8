// How much room text takes on a terminal. The C library's wcwidth(3) knows, but is not in Swift's module of it, and
// depends on the locale.

extension Unicode.Scalar {
  /// Blocks whose characters are wide: UAX #11, East Asian Width W and F. Emoji are not among them.
  private static let wideBlocks: [ClosedRange<UInt32>] = [
    0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xA960...0xA97C, 0xAC00...0xD7A3, 0xF900...0xFAFF,
    0xFE10...0xFE19, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x16FE0...0x18DFF, 0x1AFF0...0x1B2FF,
    0x1F200...0x1F265, 0x20000...0x3FFFD,
  ]

  fileprivate var columns: Int {
    if isASCII { return 1 }
    // Makes an emoji of the character before it, and so one column wider.
    if self == "\u{FE0F}" { return 1 }
    switch properties.generalCategory {
    case .nonspacingMark, .enclosingMark, .format: return 0
    default: break
    }
    let isWide = properties.isEmojiPresentation || Self.wideBlocks.contains { $0.contains(value) }
    return isWide ? 2 : 1
  }
}

extension Character {
  /// Columns on a terminal: most characters have one, those of East Asia and emoji two, accents none. For emoji of
  /// several parts that is the most that any terminal takes: a line that is too short spoils nothing, one that wraps
  /// does.
  var columns: Int { unicodeScalars.reduce(0) { $0 + $1.columns } }
}

extension String {
  /// Columns on a terminal, of text without control characters.
  var columns: Int {
    utf8.allSatisfy { $0 < 0x80 } ? utf8.count : reduce(0) { $0 + $1.columns }
  }
}
