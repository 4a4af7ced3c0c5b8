import NIOCore

/// Bytes of the requests that connections left behind when they ended, until the store has run them.
struct LeftBehind {
  /// Those of one connection, and how many commands have been run when they are.
  private var parts = CircularBuffer<(size: Int, end: Int)>()

  /// A connection left so many bytes behind; all of it is run when so many commands are.
  mutating func add(_ size: Int, end: Int) {
    if size > 0 { parts.append((size, end)) }
  }

  /// Bytes of what is behind so many commands.
  func size(after count: Int) -> Int {
    parts.reversed().prefix { $0.end > count }.reduce(0) { $0 + $1.size }
  }

  /// So many commands have been run: what they freed.
  mutating func remove(upTo count: Int) -> Int {
    var freed = 0
    while let first = parts.first, first.end <= count { freed += parts.removeFirst().size }
    return freed
  }

  /// What is behind so many commands is not there any more: what that freed.
  mutating func remove(after count: Int) -> Int {
    let freed = size(after: count)
    while let last = parts.last, last.end > count { parts.removeLast() }
    return freed
  }
}
