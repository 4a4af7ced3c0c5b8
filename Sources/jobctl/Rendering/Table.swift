/// Rows under aligned headings.
struct Table {
  /// What is known of a column before its rows.
  struct Column {
    var title: String
    var alignsRight = false
    /// Whether it gives way when the terminal is too narrow.
    var shrinks = false

    static func left(_ title: String) -> Column { Column(title: title) }
    static func right(_ title: String) -> Column { Column(title: title, alignsRight: true) }
    static func text(_ title: String) -> Column { Column(title: title, shrinks: true) }
  }

  var columns: [Column]
  var rows: [[Styled]] = []

  init(_ columns: Column...) { self.columns = columns }

  /// The lines of the table, each with its line break. On a terminal no line is longer than it is wide, as far as
  /// shrinking columns allow; a column that no row fills is left out.
  func rendered(for terminal: Terminal) -> String {
    let kept = columns.indices.filter { index in rows.contains { !$0[index].text.isEmpty } }
    var widths = kept.map { index in
      rows.reduce(columns[index].title.columns) { max($0, $1[index].columns) }
    }
    if terminal.isInteractive { shrink(&widths, of: kept, to: terminal.columns) }

    var lines = line(kept.map { Styled(columns[$0].title, .bold) }, widths, kept, terminal)
    for row in rows { lines += line(kept.map { row[$0] }, widths, kept, terminal) }
    return lines
  }

  private func shrink(_ widths: inout [Int], of kept: [Int], to columnsOfTerminal: Int) {
    var excess = widths.reduce(0, +) + 2 * max(widths.count - 1, 0) - columnsOfTerminal
    for place in widths.indices.reversed() where excess > 0 && columns[kept[place]].shrinks {
      let cut = min(excess, max(widths[place] - 8, 0))
      widths[place] -= cut
      excess -= cut
    }
  }

  private func line(_ cells: [Styled], _ widths: [Int], _ kept: [Int], _ terminal: Terminal) -> String {
    var line = ""
    for (place, cell) in cells.enumerated() {
      let cell = cell.cut(to: widths[place])
      let padding = String(repeating: " ", count: widths[place] - cell.columns)
      let text = cell.rendered(terminal.hasColor)
      if place > 0 { line += "  " }
      if columns[kept[place]].alignsRight {
        line += padding + text
      } else {
        line += text + padding
      }
    }
    while line.last == " " { line.removeLast() }
    return line + "\n"
  }
}
