import Glibc
import JobModel

/// Copies a database while it is in use.
enum Backup {
  /// Writes a compact, consistent and durable copy to a new file with mode 0600, over a connection that may be busy
  /// for as long as that takes. The file has its name when it is complete.
  ///
  /// - Throws: ALREADY_EXISTS when there is a file at `path`, INVALID_ARGUMENT when none can be made there;
  ///   RESOURCE_EXHAUSTED when the disk is full; UNAVAILABLE or INTERNAL.
  static func write(_ connection: Connection, to path: String) throws(JobError) {
    guard access(path, F_OK) != 0 else { throw PrivateFile.exists(path) }
    guard access(PrivateFile.directory(of: path), W_OK | X_OK) == 0 else {
      throw JobError(.invalidArgument, "Cannot make \(path): \(String(cString: strerror(errno))).")
    }
    let partial = "\(path).partial-\(JobID.timeOrdered())"
    // SQLite takes an empty file for a new one; making it here settles its mode.
    try PrivateFile.create(partial, exclusively: true)
    defer { unlink(partial) }
    do throws(SQLiteError) {
      try connection.prepare("VACUUM INTO ?1").run([.text(partial)])
    } catch {
      throw JobError(error, while: "Backup to \(path)")
    }
    try PrivateFile.sync(partial)
    guard link(partial, path) == 0 else {
      throw errno == EEXIST ? PrivateFile.exists(path) : .system("Cannot make \(path)")
    }
    try PrivateFile.sync(path)
  }
}
