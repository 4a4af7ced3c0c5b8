import JobBrokerClient

/// The jobs of a watch as its events make them, and the picture of them.
struct Board {
  /// The jobs, in the order in which they were first seen.
  private(set) var jobs: [Job] = []
  /// Places in the queue, as last asked.
  var positions: [JobID: QueuePosition] = [:]
  /// Whether a snapshot came since the watch began or was interrupted.
  private(set) var isCurrent = false
  private var places: [JobID: Int] = [:]

  /// Takes in an event.
  ///
  /// - Returns: the jobs that changed.
  mutating func apply(_ event: WatchEvent) -> [Job] {
    switch event {
    case .snapshot(let snapshot, _):
      // What was missed may include deletions: the snapshot is the whole truth, in the order already shown.
      let present = Dictionary(snapshot.map { ($0.id, $0) }) { _, later in later }
      let before = Dictionary(jobs.map { ($0.id, $0) }) { _, later in later }
      replaceJobs(jobs.compactMap { present[$0.id] } + snapshot.filter { before[$0.id] == nil })
      isCurrent = true
      return snapshot.filter { before[$0.id] != $0 }
    case .changed(let job):
      if let place = places[job.id] {
        jobs[place] = job
      } else {
        places[job.id] = jobs.count
        jobs.append(job)
      }
      return [job]
    case .deleted(let id):
      if places[id] != nil { replaceJobs(jobs.filter { $0.id != id }) }
      return []
    case .interrupted:
      isCurrent = false
      return []
    }
  }

  /// Forgets the jobs that are finished: of a watch without an end they are ever more.
  mutating func forgetFinished(except kept: Set<JobID>) {
    replaceJobs(jobs.filter { !$0.status.isFinished || kept.contains($0.id) })
  }

  /// A job, while it exists.
  subscript(id: JobID) -> Job? { places[id].map { jobs[$0] } }

  /// Whether all of these are finished, or gone.
  func areFinished(_ ids: some Sequence<JobID>) -> Bool {
    isCurrent && ids.allSatisfy { self[$0]?.status.isFinished ?? true }
  }

  /// The jobs that a picture with this many rows shows: those that are not finished come before those that are.
  func shown(rows: Int) -> [Job] {
    guard jobs.count > rows else { return jobs }
    let unfinished = jobs.filter { !$0.status.isFinished }
    let finished = jobs.filter(\.status.isFinished).suffix(max(rows - unfinished.count, 0))
    let kept = Set((unfinished.prefix(rows) + finished).map(\.id))
    return jobs.filter { kept.contains($0.id) }
  }

  /// The lines of the picture: a bar and the state of each job, then the counts.
  func picture(now: Timestamp, terminal: Terminal) -> [String] {
    let shown = shown(rows: max(terminal.rows - 2, 1))
    let idLength = JobText.distinctLength(of: shown.map(\.id))
    let typeWidth = shown.reduce(0) { max($0, Styled($1.type).columns) }
    var lines = shown.map { line($0, idLength, typeWidth, now, terminal) }
    lines.append(
      Styled(summary(terminal), .dim).cut(to: terminal.columns, unicode: terminal.hasUnicode).rendered(
        terminal.hasColor))
    return lines
  }

  private func line(
    _ job: Job, _ idLength: Int, _ typeWidth: Int, _ now: Timestamp, _ terminal: Terminal
  ) -> String {
    let bar = ProgressBar.text(
      job.progress, width: min(max(terminal.columns / 6, 6), 24), unicode: terminal.hasUnicode)
    let status = JobText.status(job.status)
    let cells = [
      Styled(String(job.id.description.prefix(idLength)), .dim), padded(Styled(job.type), typeWidth),
      Styled(bar, status.style), padded(Styled(Quantity.percent(job.progress)), 5), padded(status, 10),
      padded(Styled(JobText.took(job, now: now)), 11), Styled(remark(job, now)),
    ]
    // A line that wrapped would spoil the next picture, which is drawn over this one.
    var room = terminal.columns
    var line = ""
    for cell in cells where room > 0 {
      let cell = cell.cut(to: room, unicode: terminal.hasUnicode)
      line += cell.rendered(terminal.hasColor)
      room -= cell.columns
      if room > 1 { line += " " }
      room -= 1
    }
    return line
  }

  private func remark(_ job: Job, _ now: Timestamp) -> String {
    switch job.status {
    case .pending:
      if let time = job.notBefore, time > now { return "waits, \(Quantity.relative(time, to: now))" }
      guard let position = positions[job.id], position.overall >= 0 else { return "" }
      return position.overall == 0 ? "next" : "\(position.overall) ahead"
    case .processing:
      return [job.stage, job.worker.map { "on \($0.name)" }].compactMap { $0 }.joined(separator: " ")
    case .complete: return job.result ?? ""
    case .failed, .cancelled: return job.error ?? ""
    }
  }

  private func summary(_ terminal: Terminal) -> String {
    let counts = jobs.reduce(into: [JobStatus: Int]()) { $0[$1.status, default: 0] += 1 }
    let parts = JobStatus.allCases.compactMap { status in counts[status].map { "\($0) \(status.rawValue)" } }
    let text = parts.isEmpty ? "no jobs yet" : parts.joined(separator: ", ")
    return isCurrent ? text : text + "; connecting\(terminal.hasUnicode ? "…" : "...")"
  }

  private func padded(_ text: Styled, _ width: Int) -> Styled {
    Styled(text.text + String(repeating: " ", count: max(width - text.columns, 0)), text.style)
  }

  private mutating func replaceJobs(_ newJobs: [Job]) {
    jobs = newJobs
    places = Dictionary(newJobs.enumerated().map { ($1.id, $0) }) { _, later in later }
  }
}
