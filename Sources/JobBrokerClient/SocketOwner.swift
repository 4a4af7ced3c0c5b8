import JobModel
import JobProtocol

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Anybody may make a directory in `/tmp`, and a name that can be guessed may be taken: what listens there would be
/// told of every job.
enum SocketOwner {
  /// Why a user must not connect to a socket in his directory in `/tmp`.
  enum Objection {
    /// The directory is not there (`errno`), and who makes it next is not known.
    case missing(Int32)
    /// It is somebody else's.
    case foreign(JobError)
  }

  static func objection(to path: String, uid: UInt32) -> Objection? {
    let directory = DefaultPath.temporaryDirectory(uid: uid)
    var status = stat()
    guard path.hasPrefix(directory + "/") else { return nil }
    guard lstat(directory, &status) == 0 else { return .missing(errno) }
    guard status.st_uid != uid else { return nil }
    return .foreign(
      JobError(
        .permissionDenied,
        "\(directory) belongs to another user (uid \(status.st_uid)), so no broker of yours answers there. "
          + "Remove it, or set JOBBROKER_SOCKET."))
  }
}
