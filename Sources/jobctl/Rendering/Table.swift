/// Rows under aligned headings.
struct Table {
  /// What is known of a column before its rows.
  struct Column {
    var title: String
    var alignsRight = false
    /// Whether it gives way when the terminal is too narrow.
    var shrinks = false
    /// Its place among those that are left out, one after another, when that is not enough; nil: it stays.
    var goes: Int?

    static func left(_ title: String, goes: Int? = nil) -> Column { Column(title: title, goes: goes) }
    static func right(_ title: String, goes: Int? = nil) -> Column {
      Column(title: title, alignsRight: true, goes: goes)
    }
    static func text(_ title: String, goes: Int? = nil) -> Column {
      Column(title: title, shrinks: true, goes: goes)
    }
  }

  /// What is left of a column that shrinks.
  private static let least = 8

  var columns: [Column]
  var rows: [[Styled]] = []

  init(_ columns: Column...) { self.columns = columns }

  /// The lines of the table, each with its line break. On a terminal no line is longer than it is wide, as far as the
  /// columns that shrink and those that go allow; a column that no row fills is left out.
  func rendered(for terminal: Terminal) -> String {
    var kept = columns.indices.filter { index in rows.contains { !$0[index].text.isEmpty } }
    if terminal.isInteractive { leaveOut(of: &kept, for: terminal.columns) }
    var widths = kept.map(width)
    if terminal.isInteractive { shrink(&widths, of: kept, to: terminal.columns) }

    var lines = line(kept.map { Styled(columns[$0].title, .bold) }, widths, kept, terminal)
    for row in rows { lines += line(kept.map { row[$0] }, widths, kept, terminal) }
    return lines
  }

  /// How wide a column is that nothing keeps from it.
  private func width(_ index: Int) -> Int {
    rows.reduce(columns[index].title.columns) { max($0, $1[index].columns) }
  }

  private func leaveOut(of kept: inout [Int], for columnsOfTerminal: Int) {
    let least = columns.indices.map { columns[$0].shrinks ? min(width($0), Table.least) : width($0) }
    for index in columns.indices.filter({ columns[$0].goes != nil }).sorted(by: { goes($0) < goes($1) }) {
      guard kept.reduce(2 * (kept.count - 1), { $0 + least[$1] }) > columnsOfTerminal else { return }
      kept.removeAll { $0 == index }
    }
  }

  private func goes(_ index: Int) -> Int { columns[index].goes ?? .max }

  private func shrink(_ widths: inout [Int], of kept: [Int], to columnsOfTerminal: Int) {
    var excess = widths.reduce(0, +) + 2 * max(widths.count - 1, 0) - columnsOfTerminal
    for place in widths.indices.reversed() where excess > 0 && columns[kept[place]].shrinks {
      let cut = min(excess, max(widths[place] - Table.least, 0))
      widths[place] -= cut
      excess -= cut
    }
  }

  private func line(_ cells: [Styled], _ widths: [Int], _ kept: [Int], _ terminal: Terminal) -> String {
    var line = ""
    for (place, cell) in cells.enumerated() {
      let cell = cell.cut(to: widths[place], unicode: terminal.hasUnicode)
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
