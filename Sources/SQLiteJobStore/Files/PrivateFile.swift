import Glibc
import JobModel

/// Files and directories that nobody but their owner may read.
enum PrivateFile {
  /// Makes a directory, and those above it, with mode 0700; those that exist stay as they are.
  static func makeDirectory(_ path: String) throws(JobError) {
    if path.isEmpty || path == "/" || mkdir(path, 0o700) == 0 || errno == EEXIST { return }
    guard errno == ENOENT else { throw .system("Cannot make directory \(path)") }
    try makeDirectory(directory(of: path))
    guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw .system("Cannot make directory \(path)") }
  }

  /// Opens a file for reading and writing, made with mode 0600 if there is none; returns its descriptor.
  ///
  /// - Parameter exclusively: the file must not exist: ALREADY_EXISTS otherwise.
  static func open(_ path: String, exclusively: Bool = false) throws(JobError) -> Int32 {
    let flags = O_RDWR | O_CREAT | O_CLOEXEC | (exclusively ? O_EXCL : 0)
    let descriptor = Glibc.open(path, flags, 0o600)
    if descriptor < 0 {
      throw errno == EEXIST ? exists(path) : .system("Cannot open \(path)")
    }
    return descriptor
  }

  /// ALREADY_EXISTS.
  static func exists(_ path: String) -> JobError {
    JobError(.alreadyExists, "\(path) exists already; choose another.")
  }

  /// Makes an empty file with mode 0600 if there is none.
  static func create(_ path: String, exclusively: Bool = false) throws(JobError) {
    close(try open(path, exclusively: exclusively))
  }

  /// Makes a file durable, and its name in its directory.
  static func sync(_ path: String) throws(JobError) {
    for name in [path, directory(of: path)] {
      let descriptor = Glibc.open(name, O_RDONLY | O_CLOEXEC)
      guard descriptor >= 0 else { throw .system("Cannot open \(name)") }
      defer { Glibc.close(descriptor) }
      guard fsync(descriptor) == 0 else { throw .system("Cannot sync \(name)") }
    }
  }

  /// Bytes in a file; 0 when there is none.
  static func size(of path: String) -> Int {
    var status = stat()
    return stat(path, &status) == 0 ? Int(status.st_size) : 0
  }

  /// The directory a file is in.
  static func directory(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }
}

extension JobError {
  /// What the system says when the disk is full, or a quota or a limit is used up.
  static let lacksRoom = [ENOSPC, EDQUOT, EFBIG]

  /// UNAVAILABLE, or RESOURCE_EXHAUSTED for lack of room, with what the system said last.
  static func system(_ what: String) -> JobError {
    let error = errno
    return JobError(
      lacksRoom.contains(error) ? .resourceExhausted : .unavailable,
      "\(what): \(String(cString: strerror(error))).")
  }
}
