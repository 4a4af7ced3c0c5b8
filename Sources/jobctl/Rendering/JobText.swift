import JobBrokerClient

/// Jobs as people read them.
enum JobText {
  /// A table of jobs, or a word when there are none.
  static func table(_ jobs: [Job], now: Timestamp, terminal: Terminal) -> String {
    guard !jobs.isEmpty else { return "no jobs\n" }
    let idLength = terminal.isInteractive ? distinctLength(of: jobs.map(\.id)) : 36
    var table = Table(
      .left("ID"), .text("TYPE"), .left("STATUS"), .right("PROGRESS", goes: 5), .text("STAGE", goes: 6),
      .right("TRY", goes: 1), .left("CREATED", goes: 4), .left("TOOK", goes: 3), .text("WORKER", goes: 2),
      .text("ERROR", goes: 7))
    for job in jobs {
      table.rows.append([
        Styled(String(job.id.description.prefix(idLength))), Styled(job.type), status(job.status),
        Styled(job.status == .pending && job.progress == 0 ? "" : Quantity.percent(job.progress)),
        Styled(job.status.isFinished ? "" : job.stage ?? ""),
        Styled(job.attempt == 0 ? "" : String(job.attempt)),
        Styled(Quantity.relative(job.createdAt, to: now), .dim), Styled(took(job, now: now)),
        Styled(job.status == .processing ? job.worker?.name ?? "" : ""),
        Styled(job.status.isFinished ? job.error ?? "" : "", .red),
      ])
    }
    return table.rendered(for: terminal)
  }

  /// Everything about one job.
  static func details(_ job: Job, position: QueuePosition?, now: Timestamp, terminal: Terminal) -> String {
    var text = ""
    func line(_ name: String, _ value: Styled?) {
      guard let value else { return }
      let label = Styled("\(name):", .bold).rendered(terminal.hasColor)
      text +=
        label + String(repeating: " ", count: 14 - name.count) + value.rendered(terminal.hasColor) + "\n"
    }
    func time(_ name: String, _ time: Timestamp?) {
      line(name, time.map { Styled("\($0.iso8601) (\(Quantity.relative($0, to: now)))") })
    }
    line("id", Styled(job.id.description))
    line("type", Styled(job.type))
    line("status", status(job.status))
    if let position, position.overall >= 0 {
      line("position", Styled("\(position.overall) in the queue, \(position.inType) in its type"))
    }
    line("progress", Styled(Quantity.percent(job.progress)))
    line("stage", job.stage.map { Styled($0) })
    line("error", job.error.map { Styled($0, .red) })
    line("metadata", job.metadata.map { Styled($0) })
    line("result", job.result.map { Styled($0) })
    line("worker", job.worker.map { Styled("\($0.name) (pid \($0.pid), uid \($0.uid))") })
    line("attempt", job.attempt > 0 ? Styled("\(job.attempt)") : nil)
    line("retries", Styled("\(job.retryCount) of \(job.maxRetries)"))
    line("losses", Styled("\(job.lostCount) of \(job.maxLost)"))
    line("priority", job.priority != 0 ? Styled("\(job.priority)") : nil)
    line("unique key", job.uniqueKey.map { Styled($0) })
    time("not before", job.notBefore)
    time("lease until", job.leaseExpiresAt)
    time("created", job.createdAt)
    time("updated", job.updatedAt)
    time("started", job.startedAt)
    time("finished", job.finishedAt)
    return job.history.isEmpty ? text : text + "\n" + history(job.history, terminal)
  }

  /// One line about a job, for a log.
  static func line(_ job: Job) -> String {
    var parts = [job.updatedAt.iso8601, job.id.description, job.type, job.status.rawValue]
    if job.status == .processing {
      parts.append(Quantity.percent(job.progress))
      if let stage = job.stage { parts.append(stage) }
    }
    if job.status == .failed, let error = job.error { parts.append(error) }
    return Styled(parts.joined(separator: " ")).text
  }

  /// A status in its colour.
  static func status(_ status: JobStatus) -> Styled {
    switch status {
    case .pending: Styled(status.rawValue)
    case .processing: Styled(status.rawValue, .cyan)
    case .complete: Styled(status.rawValue, .green)
    case .failed: Styled(status.rawValue, .red)
    case .cancelled: Styled(status.rawValue, .yellow)
    }
  }

  /// How long the job's last attempt took, or has been running.
  static func took(_ job: Job, now: Timestamp) -> String {
    guard let start = job.startedAt, job.status != .pending else { return "" }
    return Quantity.duration((job.finishedAt ?? now) - start)
  }

  /// How much of these ids must be shown to tell them apart, and from others that are not shown: 23 characters or
  /// more. That is the millisecond of a time-ordered id, which jobs of one batch share, and 26 random bits.
  static func distinctLength(of ids: [JobID]) -> Int {
    let texts = Set(ids).map(\.description)
    return (23...36).first { length in Set(texts.map { $0.prefix(length) }).count == texts.count } ?? 36
  }

  private static func history(_ history: [AttemptRecord], _ terminal: Terminal) -> String {
    var table = Table(
      .right("ATTEMPT"), .left("ENDED"), .left("STARTED", goes: 2), .left("TOOK", goes: 1),
      .text("WORKER", goes: 3), .text("ERROR"))
    for record in history {
      table.rows.append([
        Styled("\(record.attempt)"), Styled(record.cause.rawValue, .yellow),
        Styled(record.startedAt.iso8601, .dim), Styled(Quantity.duration(record.endedAt - record.startedAt)),
        Styled(record.worker.map { "\($0.name) (\($0.pid))" } ?? ""), Styled(record.error ?? "", .red),
      ])
    }
    return table.rendered(for: terminal)
  }
}
