import JobModel

/// What the room on the disk allows.
///
/// Whatever is let in is written twice: to the write-ahead log, and from there to the database. Only what has reached
/// the database lets the log begin again in its own place, and only that lets work go on while the disk stays full. So
/// nothing is let in that the log could hold and the database could not.
enum DiskRoom: Comparable {
  /// The database could not grow by what there is to say of a job: only what takes jobs away.
  case forDeletions
  /// Those there are may be finished, from the reserve.
  case forJobsThereAre
  /// New jobs, too.
  case forNewJobs

  /// Why a command is refused; nil when there is room for it.
  func refusal(of command: JobCommand) -> JobError? {
    switch (self, command) {
    case (.forNewJobs, _),
      (.forJobsThereAre, _) where !command.isCreate:
      nil
    case (_, .create):
      JobError(
        .resourceExhausted,
        "The disk is full: no new jobs until there is room; those there are can be finished.")
    case (_, .delete), (_, .prune), (_, .snapshot), (_, .changes): nil
    default:
      JobError(.unavailable, "The disk is full: nothing was done; make room or delete jobs, and repeat it.")
    }
  }
}

extension JobCommand {
  /// Whether it needs room for new jobs.
  var isCreate: Bool { if case .create = self { true } else { false } }

  /// Bytes by which it may make the database larger: what it says, and as much as rows and indexes usually take.
  var growth: Int {
    switch self {
    case .create(let jobs): jobs.reduce(0) { $0 + Self.rowSize + $1.metadata.utf8.count }
    case .update(_, _, let update):
      Self.rowSize + (update.result?.utf8.count ?? 0) + (update.error?.utf8.count ?? 0)
    case .complete(_, _, let result): Self.rowSize + (result?.utf8.count ?? 0)
    case .fail(_, _, let error, _): Self.rowSize + error.utf8.count
    case .claim(_, let maxJobs, _, _): Self.rowSize * maxJobs
    default: Self.rowSize
    }
  }

  private static let rowSize = 1024
}
