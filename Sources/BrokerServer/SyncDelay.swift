import BrokerCore
import NIOCore

/// How long a sync is put off, so that all who ask again and again share it.
///
/// A client that waits for each answer asks again as soon as it has one, some tenths of a millisecond after the others at
/// most. A sync that began with the first of them would have the others wait for two, and two that missed each other
/// would miss each other for ever. So the clients of the last two syncs are expected, for a moment. Where they do not
/// come in time, because they work between their requests, it is tried ever less often. (MySQL's
/// binlog_group_commit_sync_delay and binlog_group_commit_sync_no_delay_count do the same, but have to be set.)
struct SyncDelay {
  /// A sync is put off by so many times what the last one took, at most: the others need to be told, to ask, and to have
  /// their commands run.
  private static let multiple: Int64 = 4
  /// Whoever asks again at once is back by then, however slow the disk is.
  private static let longest: TimeAmount = .milliseconds(1)
  /// A sync that took less is not worth waiting for.
  private static let quick: TimeAmount = .microseconds(50)
  /// So many share a sync well enough, and the others are better served while it lasts.
  private static let enough = 16
  /// Where nobody ever comes in time, so many syncs are not put off between two that are.
  private static let mostToSkip = 256

  /// Whose commands wait for the next sync, whose the last one had, and who is expected: those of the last two.
  private var (next, last, expected): (Set<ConnectionID>, Set<ConnectionID>, Set<ConnectionID>) = ([], [], [])
  private var end = NIODeadline.distantPast
  private var isPutOff = false
  /// How many of the syncs to come are not put off, and how many were not after the last that was.
  private var (toSkip, penalty) = (0, 0)

  /// About how many clients are likely to ask before the next sync, beside those whose commands wait for it; none where
  /// those who are expected have not come lately.
  var missing: Int { toSkip > 0 ? 0 : expected.count - next.count }

  /// A command of a client was run and waits for the next sync.
  mutating func add(_ asker: ConnectionID) { next.insert(asker) }

  /// Until when the next sync is put off; nil: it is not, and counts as begun.
  mutating func begin(at now: NIODeadline) -> NIODeadline? {
    // Nobody waits for what the broker does of its own accord.
    if next.isEmpty { return nil }
    let areEnough = next.count >= Self.enough || expected.isSubset(of: next)
    if toSkip == 0, !areEnough, now < end {
      isPutOff = true
      return end
    }
    toSkip = max(0, toSkip - 1)
    if isPutOff {
      penalty = areEnough ? penalty / 2 : min(max(1, 2 * penalty), Self.mostToSkip)
      toSkip = penalty
    }
    isPutOff = false
    expected = last.union(next)
    last = next
    next = Set(minimumCapacity: next.count)
    return nil
  }

  /// The sync is over, so long after it was asked for.
  mutating func ended(after time: TimeAmount, at now: NIODeadline) {
    end = time < Self.quick ? now : now + min(.nanoseconds(Self.multiple * time.nanoseconds), Self.longest)
  }
}
