import Glibc
import JobModel

/// The file of a database, and those that belong to it.
enum DatabaseFile {
  /// What is appended to its name: by SQLite, and by the store.
  private static let companions = ["-wal", "-shm", "-journal", "-lock", "-reserve"]

  /// Makes an empty file with mode 0600 if there is none, and its directory, and returns its real path. SQLite follows
  /// symbolic links: what is beside the database, the lock first of all, has to be beside the file they lead to.
  ///
  /// - Throws: UNAVAILABLE when it may not be read and written, too: SQLite would go on with what it may only read.
  ///   INVALID_ARGUMENT when it is no regular file, or has several names, under each of which it would have a log of its
  ///   own (https://sqlite.org/howtocorrupt.html, 2.5).
  static func make(_ path: String) throws(JobError) -> String {
    try PrivateFile.makeDirectory(PrivateFile.directory(of: path))
    // One that is open stays untouched: to close any descriptor of it would let go of SQLite's locks.
    if realPath(path) == nil { try PrivateFile.create(path) }
    guard let real = realPath(path) else { throw .system("Cannot open \(path)") }
    var status = stat()
    guard stat(real, &status) == 0 else { throw .system("Cannot open \(path)") }
    guard status.st_mode & S_IFMT == S_IFREG else {
      let kind = status.st_mode & S_IFMT == S_IFDIR ? "a directory" : "no regular file"
      throw JobError(.invalidArgument, "\(path) is \(kind): name the file of the database.")
    }
    guard faccessat(AT_FDCWD, real, R_OK | W_OK, AT_EACCESS) == 0 else {
      throw .system("Cannot open \(path)")
    }
    guard status.st_nlink <= 1 else {
      throw JobError(
        .invalidArgument, "\(path) has \(status.st_nlink) names (hard links): remove all but one, or copy it."
      )
    }
    return real
  }

  /// Whether a file at `path` would be taken for one that belongs to a database, whose real path this is.
  static func isCompanion(_ path: String, of database: String) -> Bool {
    guard let directory = realPath(PrivateFile.directory(of: path)) else { return false }
    let name = path.split(separator: "/").last ?? ""
    return companions.contains { (directory == "/" ? "/\(name)" : "\(directory)/\(name)") == database + $0 }
  }

  private static func realPath(_ path: String) -> String? {
    guard let real = realpath(path, nil) else { return nil }
    defer { free(real) }
    return String(cString: real)
  }
}
