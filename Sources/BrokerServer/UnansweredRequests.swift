import JobModel
import JobProtocol

/// The requests of one connection that are not answered yet, and what they take in memory.
struct UnansweredRequests {
  /// Bytes that a job of a create takes on its way to the store and back, beside its texts.
  private static let jobSize = 1 << 10

  private var entries: [(id: UInt64, size: Int)] = []
  /// Bytes that all of them take, roughly.
  private(set) var size = 0

  var count: Int { entries.count }

  /// Notes a request that came in a frame of so many bytes. False when one with its id is not answered yet.
  mutating func begin(_ request: Request, frame: Int) -> Bool {
    guard !entries.contains(where: { $0.id == request.id }) else { return false }
    var size = frame
    if case .create(let jobs) = request.operation { size += jobs.count * UnansweredRequests.jobSize }
    entries.append((request.id, size))
    self.size += size
    return true
  }

  /// The request was answered.
  mutating func end(_ id: UInt64) {
    guard let index = entries.firstIndex(where: { $0.id == id }) else { return }
    size -= entries.remove(at: index).size
  }
}
