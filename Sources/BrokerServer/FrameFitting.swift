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
