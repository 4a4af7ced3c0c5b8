import JobModel
import NIOCore

/// The requests in line for being sent, by their ids, and the places among those in flight, as many as the broker allows.
///
/// What keeps claims alive waits behind nothing else: the broker answers it though commits stall, and a job whose lease
/// ends is done twice. Claims may wait long, so they leave some places to all others. Of few places, half are left.
struct RequestLine {
  enum Kind {
    /// A heartbeat, which reports at most, or a withdrawal: it goes before the others, into whatever place.
    case urgent
    /// A claim that may wait at the broker.
    case waiting
    case ordinary

    init(_ operation: JobModel.Operation) {
      self =
        switch operation {
        case .update(_, attempt: .some, let update)
        where update == JobUpdate(progress: update.progress, stage: update.stage):
          .urgent
        case .withdraw: .urgent
        case .claim(let claim) where claim.wait > .zero: .waiting
        default: .ordinary
        }
    }
  }

  private static let placesForUrgent = 8
  private static let placesForOrdinary = 8
  /// Only urgent requests go while so much is unanswered: of twice as much the broker reads no further.
  private static let unansweredLimit = 8 << 20

  /// How many requests may be in flight.
  var places = Limits.inFlight
  private var inFlight = 0
  /// Claims in flight that may wait.
  private var waiting = 0
  /// Bytes in flight.
  private var unanswered = 0
  /// In order; those whose callers have gone are skipped.
  private var urgent = CircularBuffer<UInt64>()
  private var queued = CircularBuffer<UInt64>()
  /// Claims whose turn came while there was no place for one that waits. They are the first when there is.
  private var aside = CircularBuffer<UInt64>()

  private var placesForOthers: Int { Self.places(places, without: Self.placesForUrgent) }
  /// Whether there is room for what is not urgent.
  private var hasRoom: Bool { inFlight < placesForOthers && unanswered < Self.unansweredLimit }
  private var hasPlaceToWait: Bool {
    waiting < Self.places(placesForOthers, without: Self.placesForOrdinary)
  }

  private static func places(_ count: Int, without kept: Int) -> Int { count - min(kept, count / 2) }

  /// Puts a request into line.
  mutating func add(_ id: UInt64, _ kind: Kind) {
    if kind == .urgent { urgent.append(id) } else { queued.append(id) }
  }

  /// Takes a place for a request that is not in line, if it need not stand there.
  mutating func takePlace(_ kind: Kind) -> Bool {
    let isItsTurn =
      switch kind {
      case .urgent: inFlight < places
      case .waiting: hasRoom && queued.isEmpty && hasPlaceToWait && aside.isEmpty
      case .ordinary: hasRoom && queued.isEmpty
      }
    if isItsTurn { count(kind) }
    return isItsTurn
  }

  /// The next request to send, which has a place now; nil when there is none, or no place for it.
  ///
  /// - Parameter kind: of what kind a request is; nil: it is not to be sent any more.
  mutating func next(_ kind: (UInt64) -> Kind?) -> UInt64? {
    while let id = popNext() {
      guard let kind = kind(id) else { continue }
      if kind == .waiting, !hasPlaceToWait {
        aside.append(id)
        continue
      }
      count(kind)
      return id
    }
    return nil
  }

  private mutating func popNext() -> UInt64? {
    if inFlight < places, let id = urgent.popFirst() { return id }
    guard hasRoom else { return nil }
    return (hasPlaceToWait ? aside.popFirst() : nil) ?? queued.popFirst()
  }

  private mutating func count(_ kind: Kind) {
    inFlight += 1
    if kind == .waiting { waiting += 1 }
  }

  /// A request that has a place was sent.
  mutating func sent(_ size: Int) {
    unanswered += size
  }

  /// A request gives its place back: it was answered, or could not be sent and has no size.
  mutating func givePlace(_ kind: Kind, size: Int) {
    inFlight -= 1
    unanswered -= size
    if kind == .waiting { waiting -= 1 }
  }

  /// Nothing is in line or in flight any more: the connection is gone.
  mutating func clear() {
    urgent.removeAll()
    queued.removeAll()
    aside.removeAll()
    (inFlight, waiting, unanswered) = (0, 0, 0)
  }
}
