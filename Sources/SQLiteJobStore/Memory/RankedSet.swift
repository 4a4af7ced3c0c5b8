/// A sorted set that knows the rank of each element: short sorted chunks with their counts.
///
/// Made for a queue: most elements are added at the end and taken from the front, so those cost next to nothing.
/// With a million elements a rank costs two searches and a sum over some thousand counts, about a microsecond.
struct RankedSet<Element: Comparable> {
  /// A chunk is split when it grows beyond this.
  static var chunkCapacity: Int { 512 }

  private var chunks: [[Element]] = []
  /// The counts of the chunks, side by side: summing them touches no chunk.
  private var counts: [Int] = []
  private(set) var count = 0

  /// An empty set.
  init() {}

  /// A set of elements that are sorted already, and all different.
  init(sorted elements: [Element]) {
    count = elements.count
    for start in stride(from: 0, to: elements.count, by: Self.chunkCapacity) {
      let end = min(start + Self.chunkCapacity, elements.count)
      chunks.append(Array(elements[start..<end]))
      counts.append(end - start)
    }
  }

  /// Adds an element; false when it was there.
  @discardableResult
  mutating func insert(_ element: Element) -> Bool {
    let place = chunkThatMayHold(element)
    guard place < chunks.count else {
      append(element)
      return true
    }
    let index = chunks[place].lowerBound(of: element)
    guard index == chunks[place].count || chunks[place][index] != element else { return false }
    chunks[place].insert(element, at: index)
    counts[place] += 1
    count += 1
    if counts[place] > Self.chunkCapacity { split(place) }
    return true
  }

  /// Removes an element; false when it was not there.
  @discardableResult
  mutating func remove(_ element: Element) -> Bool {
    let place = chunkThatMayHold(element)
    guard place < chunks.count else { return false }
    let index = chunks[place].lowerBound(of: element)
    guard chunks[place][index] == element else { return false }
    chunks[place].remove(at: index)
    counts[place] -= 1
    count -= 1
    if counts[place] < Self.chunkCapacity / 8 { merge(place) }
    return true
  }

  /// How many elements come before this one; nil when it is not in the set.
  func rank(of element: Element) -> Int? {
    let place = chunkThatMayHold(element)
    guard place < chunks.count else { return nil }
    let index = chunks[place].lowerBound(of: element)
    guard chunks[place][index] == element else { return nil }
    return counts[..<place].reduce(index, +)
  }

  /// The first chunk whose last element is not less: `chunks.count` when all are less. Chunks are never empty.
  private func chunkThatMayHold(_ element: Element) -> Int {
    var low = 0
    var high = chunks.count
    while low < high {
      let middle = (low + high) / 2
      if chunks[middle][chunks[middle].count - 1] < element { low = middle + 1 } else { high = middle }
    }
    return low
  }

  private mutating func append(_ element: Element) {
    count += 1
    if let last = counts.last, last < Self.chunkCapacity {
      chunks[chunks.count - 1].append(element)
      counts[counts.count - 1] += 1
    } else {
      var chunk: [Element] = []
      chunk.reserveCapacity(Self.chunkCapacity)
      chunk.append(element)
      chunks.append(chunk)
      counts.append(1)
    }
  }

  private mutating func split(_ place: Int) {
    let half = counts[place] / 2
    let tail = Array(chunks[place][half...])
    chunks[place].removeSubrange(half...)
    chunks.insert(tail, at: place + 1)
    counts[place] = half
    counts.insert(tail.count, at: place + 1)
  }

  /// Joins a short chunk to the next, so that removals leave no trail of tiny chunks.
  private mutating func merge(_ place: Int) {
    if counts[place] == 0 {
      chunks.remove(at: place)
      counts.remove(at: place)
    } else if place + 1 < chunks.count, counts[place] + counts[place + 1] <= Self.chunkCapacity / 2 {
      chunks[place] += chunks[place + 1]
      counts[place] = chunks[place].count
      chunks.remove(at: place + 1)
      counts.remove(at: place + 1)
    }
  }
}

extension RankedSet: Sendable where Element: Sendable {}

extension Array where Element: Comparable {
  /// The index of the first element that is not less, in a sorted array.
  fileprivate func lowerBound(of element: Element) -> Int {
    var low = 0
    var high = count
    while low < high {
      let middle = (low + high) / 2
      if self[middle] < element { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
