import Glibc
import JobModel

/// Keeps a second broker away from a database: an flock(2) on a file beside it, which the kernel releases when the
/// process ends, however it ends. The file stays: removing it would let two brokers lock two files of one name.
final class DatabaseLock: Sendable {
  private let descriptor: Int32

  /// - Throws: UNAVAILABLE when another process has the lock.
  init(path: String) throws(JobError) {
    descriptor = try PrivateFile.open(path)
    // What is thrown from here on lets go of this object, and so closes the file.
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      guard errno == EWOULDBLOCK else { throw .system("Cannot lock \(path)") }
      throw JobError(.unavailable, "Another broker has the database: \(path) is locked. Stop it first.")
    }
  }

  deinit {
    // The lock is the open file's: a child that this process is just starting has that, too.
    flock(descriptor, LOCK_UN)
    close(descriptor)
  }
}
