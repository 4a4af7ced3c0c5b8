import JobModel
import JobProtocol

extension JobPage {
  /// The page, ending earlier if it would not fit a frame.
  func fittingFrame() -> JobPage {
    guard let first = jobs.pagesFittingFrames().first, first.count < jobs.count else { return self }
    return JobPage(jobs: Array(first), nextCursor: first.last?.sequence)
  }
}

extension [Job] {
  /// The jobs in as many pages as frames are needed; one, empty, for none.
  func pagesFittingFrames() -> [ArraySlice<Job>] {
    var pages: [ArraySlice<Job>] = []
    var start = startIndex
    var size = 0
    for (index, job) in enumerated() {
      let next = MessageCodec.encodedSize(of: job)
      if size + next > MessageCodec.jobsSize, index > start {
        pages.append(self[start..<index])
        start = index
        size = 0
      }
      size += next
    }
    pages.append(self[start...])
    return pages
  }
}

extension BrokerStats {
  /// The counters with as many types as fit a frame.
  func fittingFrame() -> BrokerStats {
    var room = FrameRoom()
    // The numbers of a type take 58 bytes at most.
    let count = types.prefix { room.take(72 + $0.type.utf8.count) }.count
    guard count < types.count else { return self }
    var stats = self
    stats.types.removeSubrange(count...)
    stats.isTruncated = true
    return stats
  }
}

extension WorkerList {
  /// The list with as many clients as fit a frame, the last perhaps without all that it waits for and holds.
  func fittingFrame() -> WorkerList {
    var room = FrameRoom()
    var fitting: [ConnectedWorker] = []
    for worker in workers {
      // Its numbers, and what encloses it, take 50 bytes at most.
      guard room.take(64 + worker.identity.name.utf8.count + worker.client.utf8.count) else { break }
      var part = worker
      part.waitingTypes = Array(worker.waitingTypes.prefix { room.take(4 + $0.utf8.count) })
      part.holds = Array(worker.holds.prefix { room.take(32 + $0.type.utf8.count) })
      fitting.append(part)
      if part != worker { break }
    }
    return fitting == workers ? self : WorkerList(workers: fitting, isTruncated: true)
  }
}

/// What is left of a frame.
private struct FrameRoom {
  /// What else a reply says (the counters, the names of the server and its store) takes less than is spared here.
  private var left = MessageCodec.jobsSize - 1024

  mutating func take(_ size: Int) -> Bool {
    guard size <= left else { return false }
    left -= size
    return true
  }
}
