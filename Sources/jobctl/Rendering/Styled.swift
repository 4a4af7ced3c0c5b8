/// How a piece of text looks on a terminal with colours.
enum Style: String {
  case plain = ""
  case bold = "1"
  case dim = "2"
  case red = "31"
  case green = "32"
  case yellow = "33"
  case cyan = "36"
}

/// A piece of text and its look; as wide as its text.
struct Styled: Equatable, ExpressibleByStringInterpolation {
  var text: String
  var style: Style

  /// A text from elsewhere (a stage, an error) may hold anything: what would move the cursor or end the line is
  /// shown as a question mark.
  init(_ text: String, _ style: Style = .plain) {
    let isClean = text.unicodeScalars.allSatisfy { !Styled.isControl($0) }
    self.text = isClean ? text : Styled.cleaned(text)
    self.style = style
  }

  init(stringLiteral text: String) { self.init(text) }

  /// The text with its colours, if wanted.
  func rendered(_ hasColor: Bool) -> String {
    hasColor && style != .plain && !text.isEmpty ? "\u{1B}[\(style.rawValue)m\(text)\u{1B}[0m" : text
  }

  /// How many columns of the terminal it takes.
  var columns: Int { text.columns }

  /// The text cut to a number of columns, or one less when half a character would be left; the cut is marked.
  func cut(to width: Int, unicode: Bool) -> Styled {
    guard columns > width else { return self }
    let dots = unicode ? "…" : "..."
    let mark = width > dots.count ? dots : ""
    var room = width - mark.count
    let kept = text.prefix { character in
      room -= character.columns
      return room >= 0
    }
    return Styled(String(kept) + mark, style)
  }

  private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator: true
    default: false
    }
  }

  private static func cleaned(_ text: String) -> String {
    var clean = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      if scalar == "\n" || scalar == "\t" {
        clean.append(" ")
      } else {
        clean.append(isControl(scalar) ? "?" : scalar)
      }
    }
    return String(clean)
  }
}
