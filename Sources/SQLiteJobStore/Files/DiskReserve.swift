import Glibc
import JobModel
import Logging

/// Disk space put aside for the day the disk is full: a preallocated file. Giving it up makes room to finish the
/// jobs there are; until there is room again, no new ones are taken in.
struct DiskReserve {
  /// Bytes put aside. Finishing a small job makes the database larger by its result and, as full pages have to be
  /// split, at most 150 bytes (measured over 54,000 of them). Also, when others fill the disk, the 8 MiB that the log
  /// may hold have to fit into the database.
  static let size = 16 << 20

  private let path: String
  private let directory: String
  private let logger: Logger
  /// Whether the space is put aside.
  private(set) var isHeld = false
  /// Whether a quota was used up since it was last to be had: what that leaves, nobody tells.
  private var isRationed = false
  /// Whether the last that was said of it was that the disk is full.
  private var isFull = false

  /// Puts the space aside, if there is that much.
  init(path: String, logger: Logger) {
    self.path = path
    directory = PrivateFile.directory(of: path)
    self.logger = logger
    take()
    if !isHeld {
      logger.warning(
        "No room for the disk reserve: no new jobs until there is", metadata: ["path": "\(path)"])
    }
  }

  /// Bytes that new jobs must leave free: as much as the reserve when that is given up, for finishing the jobs there
  /// are; and once the disk was full, somewhat more, so that not every small job makes the difference.
  var keptFree: Int { (isHeld ? 0 : Self.size) + (isFull ? 2 << 20 : 0) }

  /// Bytes that are free, the reserve not among them; of a quota at least so many, and no more than twice the reserve.
  var free: Int { min(isRationed ? allowed() : .max, unused()) }

  /// Bytes that a quota allows, found out by taking them. Half of what there is may be missed, which does no harm: what
  /// is too much for it waits until jobs are deleted.
  private func allowed() -> Int {
    var bytes = 2 * Self.size
    while bytes >= 64 << 10, allocate(bytes) != 0 { bytes /= 2 }
    unlink(path)
    return bytes < 64 << 10 ? 0 : bytes
  }

  /// Bytes that the file system says are free.
  private func unused() -> Int {
    var status = statvfs()
    guard statvfs(directory, &status) == 0 else { return 0 }
    // Some file systems say that there is no end of it.
    let (bytes, isMore) = UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize))
    return isMore ? .max / 2 : min(Int(clamping: bytes), .max / 2)
  }

  /// Says in the log when it begins and when it ends that new jobs are refused.
  mutating func note(_ room: DiskRoom) {
    let isFull = room < .forNewJobs
    guard isFull != self.isFull else { return }
    self.isFull = isFull
    if isFull {
      logger.error("The disk is full: no new jobs until there is room", metadata: ["path": "\(path)"])
    } else {
      logger.notice("There is room on the disk again", metadata: ["path": "\(path)"])
    }
  }

  /// Gives the space to whoever writes next, because of what a write has said.
  mutating func release(after error: SQLiteError) {
    if error.systemError == EDQUOT { isRationed = true }
    guard isHeld else { return }
    unlink(path)
    isHeld = false
    note(.forJobsThereAre)
  }

  /// Puts the space aside again when there is twice as much, so that new jobs do not fill the disk at once.
  mutating func restore() {
    if isHeld { return }
    if free >= 2 * Self.size { take() }
  }

  /// Gives up what an earlier process has put aside; false when there is nothing.
  static func giveUp(_ path: String) -> Bool { unlink(path) == 0 }

  private mutating func take() {
    let failure = allocate(Self.size)
    isHeld = failure == 0
    isRationed = [EDQUOT, EFBIG].contains(failure)
  }

  /// Makes the file; returns what the system says of it.
  private func allocate(_ bytes: Int) -> Int32 {
    guard let descriptor = try? PrivateFile.open(path) else { return errno }
    defer { close(descriptor) }
    let failure = posix_fallocate(descriptor, 0, off_t(bytes))
    if failure != 0 { unlink(path) }
    return failure
  }
}
