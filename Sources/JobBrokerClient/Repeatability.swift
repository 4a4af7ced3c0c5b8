import JobModel

extension JobModel.Operation {
  /// Whether sending it again, when nobody knows whether the first one arrived, comes to the same as sending it
  /// once. Such requests are sent again by themselves on the next connection.
  var isRepeatable: Bool {
    switch self {
    // They change nothing.
    case .hello, .ping, .get, .list, .position, .stats, .workers, .watch, .unwatch, .withdraw: true
    // The jobs bring their ids, so a second create finds them made.
    case .create: true
    // The fence lets only the same holder through, and answers its repeat as the first time.
    case .update(_, attempt: .some, _), .complete(_, attempt: .some, _), .fail(_, attempt: .some, _, _),
      .release(_, attempt: .some, _):
      true
    // A claim whose reply was lost is given up with its connection; the next one takes other jobs.
    case .claim: true
    // They name a state to be in, not a step to take.
    case .cancel, .pause, .resume: true
    // Without a fence a repeat meets whatever happened in between: an update would overwrite a later one, a
    // complete or fail be told that somebody else finished the job, a release take the job from its next holder.
    case .update, .complete, .fail, .release: false
    // The job may have run and failed again: a second retry would run it once more.
    case .retry: false
    // The second time they would answer NOT_FOUND, a wrong count, or that the file exists.
    case .delete, .reap, .prune, .backup: false
    }
  }
}
