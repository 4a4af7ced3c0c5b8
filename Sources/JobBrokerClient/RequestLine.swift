import JobModel
import NIOCore

/// The requests in line for being sent, by their ids, and the places among those in flight, as many as the broker allows.
///
/// Claims may wait long, so they leave some places to others: heartbeats must not wait behind them.
struct RequestLine {
  /// Of few places, half.
  private static let placesForOthers = 16

  /// How many requests may be in flight.
  var places = Limits.inFlight
  private var inFlight = 0
  /// Claims in flight that may wait.
  private var waiting = 0
  /// In order; those whose callers have gone are skipped.
  private var queued = CircularBuffer<UInt64>()
  /// Claims whose turn came while there was no place for one that waits. They are the first when there is.
  private var aside = CircularBuffer<UInt64>()

  private var hasPlaceToWait: Bool { waiting < places - min(Self.placesForOthers, places / 2) }

  /// Puts a request into line; `isFirst`: before the others.
  mutating func add(_ id: UInt64, isFirst: Bool = false) {
    if isFirst { queued.prepend(id) } else { queued.append(id) }
  }

  /// Takes a place for a request that is not in line, if it need not stand there; `isFirst`: though others do.
  mutating func takePlace(mayWait: Bool, isFirst: Bool) -> Bool {
    guard inFlight < places, isFirst || queued.isEmpty else { return false }
    if mayWait {
      guard hasPlaceToWait, aside.isEmpty else { return false }
      waiting += 1
    }
    inFlight += 1
    return true
  }

  /// The next request to send, which has a place now; nil when there is none, or no place for it.
  ///
  /// - Parameter mayWait: whether a request is a claim that may wait; nil: it is not to be sent any more.
  mutating func next(_ mayWait: (UInt64) -> Bool?) -> UInt64? {
    while inFlight < places {
      guard let id = (hasPlaceToWait ? aside.popFirst() : nil) ?? queued.popFirst() else { return nil }
      guard let waits = mayWait(id) else { continue }
      if waits, !hasPlaceToWait {
        aside.append(id)
        continue
      }
      if waits { waiting += 1 }
      inFlight += 1
      return id
    }
    return nil
  }

  /// A request gives its place back: it was answered, or could not be sent.
  mutating func givePlace(mayWait: Bool) {
    inFlight -= 1
    if mayWait { waiting -= 1 }
  }

  /// Nothing is in line or in flight any more: the connection is gone.
  mutating func clear() {
    queued.removeAll()
    aside.removeAll()
    (inFlight, waiting) = (0, 0)
  }
}
