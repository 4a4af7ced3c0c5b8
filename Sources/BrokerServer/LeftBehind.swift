import NIOCore

/// Bytes of the requests that connections left behind when they ended, until the store has run them.
struct LeftBehind {
  /// Those of one connection, and how many commands have been run when they are.
  private var parts = CircularBuffer<(size: Int, end: Int)>()
  private(set) var size = 0

  /// A connection left so many bytes behind; all of it is run when so many commands are.
  mutating func add(_ size: Int, end: Int) {
    if size > 0 { parts.append((size, end)) }
    self.size += size
  }

  /// Whether any of it is behind so many commands.
  func isAny(after count: Int) -> Bool { parts.last.map { $0.end > count } ?? false }

  /// So many commands have been run: what they freed.
  mutating func remove(upTo count: Int) -> Int {
    let before = size
    while let first = parts.first, first.end <= count { size -= parts.removeFirst().size }
    return before - size
  }

  /// What is behind so many commands is not there any more: what that freed.
  mutating func remove(after count: Int) -> Int {
    let before = size
    while isAny(after: count) { size -= parts.removeLast().size }
    return before - size
  }
}
