import JobModel
import NIOCore

/// A request that has no reply yet.
struct PendingRequest {
  enum Stage {
    /// In line for a connection and a place among the requests in flight.
    case queued
    /// On its way, or with the broker.
    case sent
    /// A claim that a draining broker refused, resting before its next try.
    case parked
  }

  /// Who wants the reply.
  enum Recipient {
    case caller(CheckedContinuation<Reply, Never>)
    case action((Reply) -> Void)
    /// The caller has gone; the reply is still counted, and a job that comes with it is given back.
    case nobody
  }

  let operation: JobModel.Operation
  let kind: RequestLine.Kind
  var recipient: Recipient
  /// When it has waited too long.
  let expiry: NIODeadline
  /// Whether it is safe to send it again.
  let isRepeated: Bool
  /// Whether it is about the connection that it is made for, and ends with it though it was not sent.
  let isOfItsConnection: Bool
  /// When a waiting claim has waited long enough.
  let waitEnds: NIODeadline?
  var stage = Stage.queued
  /// Bytes of its frame, once it was sent.
  var size = 0
  /// A claim that shall wait no longer.
  var isWithdrawn = false
  /// Ends the wait of a caller who is about to end.
  var patience: Scheduled<Void>?

  var isAbandoned: Bool {
    if case .nobody = recipient { true } else { false }
  }

  /// Whether it is sent again when its connection is lost. A claim that was withdrawn would wait again.
  var isSentAgain: Bool { isRepeated && !isWithdrawn && !isAbandoned }

  /// What to send after a time in line: a claim waits only for what is left of its time.
  var operationAfterLine: JobModel.Operation {
    guard let waitEnds, case .claim(var claim) = operation else { return operation }
    claim.wait = max(.zero, .nanoseconds((waitEnds - .now()).nanoseconds))
    return .claim(claim)
  }

  /// Hands over the reply; only once.
  func resolve(with reply: Reply) {
    patience?.cancel()
    switch recipient {
    case .caller(let continuation): continuation.resume(returning: reply)
    case .action(let action): action(reply)
    case .nobody: break
    }
  }

  /// What to tell a caller whose reply will not come, for a reason that is a sentence.
  func interruption(_ reason: String) -> JobError {
    if stage == .sent && !operation.isRepeatable {
      JobError(
        .unknownOutcome, "\(reason) The request may have been carried out: read the job before repeating it.")
    } else {
      JobError(.unavailable, "\(reason) The request may be repeated.")
    }
  }
}
