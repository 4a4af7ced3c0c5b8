import Glibc
import JobModel

/// A listening Unix domain socket, and the lock that makes it ours.
///
/// The order is: lock, bind to a temporary name, set the mode, listen, rename. So a live broker's socket is never
/// stolen (it holds the lock), a dead one's is replaced at once (its lock died with it), and nobody ever sees a
/// socket that does not answer or has another mode than the one asked for.
public struct SocketBinder: Sendable {
  /// Where clients find the socket.
  public let path: String
  /// The listening descriptor.
  public let descriptor: CInt
  private let lock: CInt
  private let identity: FileIdentity?

  /// Locks and binds.
  ///
  /// - Parameters:
  ///   - mode: Permissions of the socket, as in chmod(2).
  ///   - inOwnDirectory: Whether its directory must be this user's, and writable for nobody else. Who can write there
  ///     can put a socket of his own in the place of ours; a path that everybody can guess needs that.
  /// - Throws: UNAVAILABLE when another broker holds the socket, INVALID_ARGUMENT when the path can't be used or has
  ///   something else than a socket, PERMISSION_DENIED when the directory is not our own.
  public static func bind(
    path: String, mode: UInt32 = 0o600, inOwnDirectory: Bool = false
  ) throws(JobError) -> SocketBinder {
    try makePrivateDirectory(parent(of: path))
    guard !inOwnDirectory || isOwn(parent(of: path)) else {
      throw JobError(
        .permissionDenied,
        "\(parent(of: path)) belongs to another user, or others may write there. Remove it, or choose a --socket."
      )
    }
    guard isFreeOrSocket(path) else {
      throw JobError(
        .invalidArgument, "\(path) is there and is no socket. Remove it, or choose another --socket.")
    }
    let lock = open(path + ".lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard lock >= 0 else { throw failure("open the lock file", path + ".lock") }
    guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
      let isHeld = errno == EWOULDBLOCK
      let error = failure("lock", path + ".lock")
      Glibc.close(lock)
      if !isHeld { throw error }
      throw JobError(
        .unavailable, "Another broker serves \(path). Stop it first, or choose another --socket.")
    }
    do {
      let descriptor = try listen(at: path, mode: mode)
      return SocketBinder(path: path, descriptor: descriptor, lock: lock, identity: FileIdentity(path: path))
    } catch {
      Glibc.close(lock)
      throw error
    }
  }

  /// Takes over the socket that systemd listens on (sd_listen_fds(3)); nil when it passed none to this process.
  ///
  /// - Throws: INVALID_ARGUMENT when what was passed is no listening Unix stream socket.
  public static func fromServiceManager(environment: [String: String]) throws(JobError) -> SocketBinder? {
    guard environment["LISTEN_PID"].flatMap(CInt.init) == getpid(),
      let count = environment["LISTEN_FDS"].flatMap(CInt.init), count > 0
    else { return nil }
    let first: CInt = 3  // SD_LISTEN_FDS_START
    var domain: CInt = 0
    var listens: CInt = 0
    var size = socklen_t(MemoryLayout<CInt>.size)
    guard count == 1, getsockopt(first, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0, domain == AF_UNIX,
      getsockopt(first, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0, listens == 1
    else {
      throw JobError(.invalidArgument, "LISTEN_FDS must pass exactly one listening Unix stream socket.")
    }
    _ = fcntl(first, F_SETFD, FD_CLOEXEC)
    return SocketBinder(path: name(of: first), descriptor: first, lock: -1, identity: nil)
  }

  /// The path that a socket is bound to; `@` and a name for one that is in no file system (unix(7)).
  private static func name(of descriptor: CInt) -> String {
    var address = sockaddr_un()
    var size = socklen_t(MemoryLayout<sockaddr_un>.size)
    let isNamed = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &size) == 0 }
    }
    let length = Int(size) - MemoryLayout<sockaddr_un>.size + MemoryLayout.size(ofValue: address.sun_path)
    return withUnsafeBytes(of: &address.sun_path) { bytes in
      guard isNamed, length > 0, let first = bytes.first else { return "passed socket" }
      guard first == 0 else {
        return String(decoding: bytes.prefix(length).prefix { $0 != 0 }, as: UTF8.self)
      }
      return "@" + String(decoding: bytes.prefix(min(length, bytes.count)).dropFirst(), as: UTF8.self)
    }
  }

  /// Removes the socket from the file system, if it is still the one that was bound, and gives up the lock. The
  /// descriptor belongs to whoever accepts on it.
  public func remove() {
    if let identity, FileIdentity(path: path) == identity { unlink(path) }
    if lock >= 0 { close(lock) }
  }

  private static func listen(at path: String, mode: UInt32) throws(JobError) -> CInt {
    let temporary = "\(path).\(getpid())"
    unlink(temporary)
    let descriptor = socket(
      AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue) | CInt(SOCK_NONBLOCK.rawValue), 0)
    guard descriptor >= 0 else { throw failure("make a socket for", path) }
    var address = try address(of: temporary)
    let bound = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    // Where others may write, one could have put a link to a file of ours in its place.
    let hasMode = bound == 0 && fchmodat(AT_FDCWD, temporary, mode, AT_SYMLINK_NOFOLLOW) == 0
    guard hasMode, Glibc.listen(descriptor, 4096) == 0,
      rename(temporary, path) == 0
    else {
      let error = failure("bind", path)
      unlink(temporary)
      Glibc.close(descriptor)
      throw error
    }
    return descriptor
  }

  private static func address(of path: String) throws(JobError) -> sockaddr_un {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let capacity = MemoryLayout.size(ofValue: address.sun_path)
    guard path.utf8.count < capacity else {
      throw JobError(
        .invalidArgument,
        "The socket path is too long: \(path.utf8.count) bytes with the process id, at most \(capacity - 1).")
    }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    return address
  }
}

/// Makes a directory that only this user may enter, unless it is there.
///
/// - Throws: INVALID_ARGUMENT when it can't be made.
public func makePrivateDirectory(_ path: String) throws(JobError) {
  var status = stat()
  if path.isEmpty || stat(path, &status) == 0 { return }
  try makePrivateDirectory(parent(of: path))
  guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw failure("make the directory", path) }
}

/// Whether this is a directory, no link to one, that only this user may write in.
private func isOwn(_ path: String) -> Bool {
  var status = stat()
  return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR && status.st_uid == geteuid()
    && status.st_mode & 0o022 == 0
}

/// Whether a socket may take this place: what a broker left behind is replaced, anything else is somebody's, links too.
private func isFreeOrSocket(_ path: String) -> Bool {
  var status = stat()
  return lstat(path, &status) != 0 || status.st_mode & S_IFMT == S_IFSOCK
}

private func parent(of path: String) -> String {
  guard let slash = path.lastIndex(of: "/") else { return "" }
  return String(path[..<slash])
}

private func failure(_ action: String, _ path: String) -> JobError {
  JobError(.invalidArgument, "Could not \(action) \(path): \(String(cString: strerror(errno))).")
}

/// Which file a path leads to.
private struct FileIdentity: Equatable, Sendable {
  var device: UInt
  var inode: UInt

  init?(path: String) {
    var status = stat()
    guard lstat(path, &status) == 0 else { return nil }
    device = UInt(status.st_dev)
    inode = UInt(status.st_ino)
  }
}
