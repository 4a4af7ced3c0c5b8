import JobModel
import JobProtocol

/// The requests of one connection that are under way: those not answered yet, and watches until they end.
struct RequestsUnderWay {
  private struct Entry {
    var id: UInt64
    var size: Int
    var isFollowing = false
    /// Whether it is a watch that ends before it has begun.
    var isOver = false
    /// The watch that ends when it is answered.
    var ends: UInt64?
  }

  private var entries: [Entry] = []
  /// How many are not answered.
  private(set) var unanswered = 0
  /// Bytes that those take, roughly.
  private(set) var unansweredSize = 0
  /// Bytes that all take, roughly, watches that go on among them.
  private(set) var size = 0

  /// Notes a request that came in a frame of so many bytes. False when one with its id is under way.
  mutating func begin(_ request: Request, frame: Int) -> Bool {
    guard !entries.contains(where: { $0.id == request.id }) else { return false }
    let size = frame + request.operation.overhead
    var entry = Entry(id: request.id, size: size)
    if case .unwatch(let watch) = request.operation { entry.ends = watch }
    entries.append(entry)
    self.size += size
    unansweredSize += size
    unanswered += 1
    return true
  }

  /// The request was answered; a watch `isFollowing` then. An unwatch `endsWatch` unless it was refused.
  mutating func answered(_ id: UInt64, isFollowing: Bool = false, endsWatch: Bool = false) {
    guard let index = entries.firstIndex(where: { $0.id == id }) else { return }
    if !entries[index].isFollowing {
      unanswered -= 1
      unansweredSize -= entries[index].size
    }
    entries[index].isFollowing = isFollowing
    if isFollowing && !entries[index].isOver { return }
    let ended = endsWatch ? entries[index].ends : nil
    remove(at: index)
    // What has come since is another request, though it may have the same id.
    if let ended { endWatch(ended, among: entries[..<index]) }
  }

  /// The watch that the request began is over; its snapshot may be still to come.
  private mutating func endWatch(_ id: UInt64, among earlier: ArraySlice<Entry>) {
    guard let index = earlier.firstIndex(where: { $0.id == id }) else { return }
    if entries[index].isFollowing { remove(at: index) } else { entries[index].isOver = true }
  }

  private mutating func remove(at index: Int) { size -= entries.remove(at: index).size }
}

extension Operation {
  /// Bytes that it takes in memory beside those of its frame.
  fileprivate var overhead: Int {
    switch self {
    case .create(let jobs): 512 + jobs.count * 1024
    case .claim(let request): 512 + request.types.count * 128
    case .watch(let selection): 512 + (selection.ids.count + selection.types.count) * 128
    default: 512
    }
  }
}
