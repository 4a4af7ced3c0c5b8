import Glibc
import JobModel
import Logging

/// Disk space put aside for the day the disk is full: a preallocated file. Giving it up makes room to finish the
/// jobs there are; until it is there again, no new ones are taken in.
struct DiskReserve {
  /// Bytes put aside. A transaction writes the pages it touches, some tens of KiB, so this is good for hundreds.
  static let size = 4 << 20

  private let path: String
  private let logger: Logger
  /// Whether the space is put aside; without it there is no room for new jobs.
  private(set) var isHeld = false

  /// Puts the space aside, if there is that much.
  init(path: String, logger: Logger) {
    self.path = path
    self.logger = logger
    isHeld = allocate()
    if !isHeld {
      logger.warning(
        "No room for the disk reserve: no new jobs until there is", metadata: ["path": "\(path)"])
    }
  }

  /// Gives the space to whoever writes next.
  mutating func release() {
    guard isHeld else { return }
    unlink(path)
    isHeld = false
    logger.error("The disk is full: no new jobs until there is room", metadata: ["path": "\(path)"])
  }

  /// Puts the space aside again when there is twice as much, so that new jobs do not fill the disk at once.
  mutating func restore() {
    var status = statvfs()
    guard !isHeld, statvfs(PrivateFile.directory(of: path), &status) == 0,
      UInt64(status.f_bavail) * UInt64(status.f_frsize) >= UInt64(2 * Self.size), allocate()
    else { return }
    isHeld = true
    logger.notice("There is room on the disk again", metadata: ["path": "\(path)"])
  }

  private func allocate() -> Bool {
    guard let descriptor = try? PrivateFile.open(path) else { return false }
    defer { close(descriptor) }
    guard posix_fallocate(descriptor, 0, off_t(Self.size)) == 0 else {
      unlink(path)
      return false
    }
    return true
  }
}
