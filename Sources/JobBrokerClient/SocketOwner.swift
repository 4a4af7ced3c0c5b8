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
  /// Why a user must not connect to a socket: it is in his directory in `/tmp`, and that is somebody else's.
  static func objection(to path: String, uid: UInt32) -> JobError? {
    let directory = DefaultPath.temporaryDirectory(uid: uid)
    var status = stat()
    guard path.hasPrefix(directory + "/"), lstat(directory, &status) == 0, status.st_uid != uid else {
      return nil
    }
    return JobError(
      .permissionDenied,
      "\(directory) belongs to another user (uid \(status.st_uid)), so no broker of yours answers there. "
        + "Remove it, or set JOBBROKER_SOCKET.")
  }
}
