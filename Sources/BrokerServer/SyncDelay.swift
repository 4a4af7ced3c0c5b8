import BrokerCore
import NIOCore

/// How long a sync is put off, so that all who ask again and again share it.
///
/// A client that waits for each answer asks again as soon as it has one, some tenths of a millisecond after the others at
/// most. A sync that began with the first of them would have the others wait for two. So the clients of the last two syncs
/// are expected, for a moment; two, for those who missed each other would else go on to. Where they do not come in time,
/// because they work between their requests, it is tried ever less often. (MySQL's binlog_group_commit_sync_delay and
/// binlog_group_commit_sync_no_delay_count do the same, but have to be set.)
struct SyncDelay {
  /// A sync is put off by so many times what the last one took, at most: the others need to be told, to ask, and to have
  /// their commands run.
  private static let share: Int64 = 4
  private static let longest: TimeAmount = .milliseconds(1)
  private static let mostSkipped = 64

  /// Whose commands wait for the next sync, the last one and the one before.
  private var (next, last, before): (Set<ConnectionID>, Set<ConnectionID>, Set<ConnectionID>) = ([], [], [])
  private var expected = 0
  private var end = NIODeadline.distantPast
  private var isPutOff = false
  /// How many syncs to come are not put off, and how many were not after one was for nothing.
  private var (skipped, penalty) = (0, 0)

  /// A command was run that needs the disk.
  mutating func add(_ asker: ConnectionID) { next.insert(asker) }

  /// Until when the next sync is put off; nil: it begins now.
  mutating func begin(at now: NIODeadline) -> NIODeadline? {
    if skipped == 0, next.count < expected, now < end {
      isPutOff = true
      return end
    }
    skipped = max(0, skipped - 1)
    if isPutOff {
      penalty = next.count < expected ? min(max(1, 2 * penalty), Self.mostSkipped) : 0
      skipped = penalty
    }
    isPutOff = false
    (before, last, next) = (last, next, [])
    return nil
  }

  /// The sync is over, after a time.
  mutating func ended(after time: TimeAmount, at now: NIODeadline) {
    expected = last.union(before).count
    end = now + min(.nanoseconds(Self.share * time.nanoseconds), Self.longest)
  }
}
