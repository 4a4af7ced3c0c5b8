import Glibc
import JobModel

/// Copies a database while it is in use.
enum Backup {
  /// Writes a compact, consistent and durable copy to a new file with mode 0600, over a connection that may be busy
  /// for as long as that takes.
  ///
  /// - Throws: ALREADY_EXISTS when there is a file at `path`; UNAVAILABLE or INTERNAL.
  static func write(_ connection: Connection, to path: String) throws(JobError) {
    // SQLite takes an empty file for a new one; making it here settles its mode, and that it is new.
    try PrivateFile.create(path, exclusively: true)
    do throws(SQLiteError) {
      try connection.prepare("VACUUM INTO ?1").run([.text(path)])
    } catch {
      unlink(path)
      throw JobError(error, while: "Backup to \(path)")
    }
    try PrivateFile.sync(path)
  }
}
