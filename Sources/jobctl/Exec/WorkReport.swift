import JobBrokerClient

/// What `jobctl work` says of a job that it worked on.
struct WorkReport: Sendable {
  var job: Job
  var ending: WorkEnding
  /// How long its program ran.
  var time: Duration
  /// Why the broker did not take the ending; nil when it did.
  var refusal: JobError?

  /// For a script that reads a worker's output.
  var json: JSONLine {
    JSONLine {
      $0.add("id", job.id.description)
      $0.add("type", job.type)
      $0.add("attempt", job.attempt)
      $0.add("ending", name)
      $0.add("duration_ms", time.milliseconds)
      if case .complete(let result) = ending, !isNotTaken { $0.add("result", json: result) }
      $0.add("error", error)
    }
  }

  /// For a person.
  var text: String {
    let attempt = job.attempt > 1 ? ", attempt \(job.attempt)" : ""
    let reason = error.map { ": \($0)" } ?? ""
    return Styled("\(job.id) \(job.type) \(name) after \(Quantity.duration(time))\(attempt)\(reason)").text
  }

  /// Of a job that was stopped or not begun there is no ending that the broker could have taken.
  private var isNotTaken: Bool { refusal != nil && ![.stopped, .notBegun].contains(ending) }

  private var name: String {
    if isNotTaken { return "not taken" }
    return switch ending {
    case .complete: "complete"
    case .retryable: "failed, retryable"
    case .failed: "failed"
    case .notBegun: "not begun"
    case .stopped: "stopped"
    }
  }

  private var error: String? {
    if isNotTaken { return refusal?.message }
    return switch ending {
    case .retryable(let error), .failed(let error): error
    case .complete, .notBegun, .stopped: nil
    }
  }
}
