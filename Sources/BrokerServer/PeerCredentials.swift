import Glibc
import NIOCore

/// What the kernel says of the process at the other end of a Unix domain socket.
///
/// The layout is `struct ucred` of unix(7), which Glibc shows only to those who define _GNU_SOURCE.
struct PeerCredentials: Sendable {
  var pid: UInt32
  var uid: UInt32
  var gid: UInt32

  /// Reads SO_PEERCRED (unix(7)) of a connected channel.
  static func read(from channel: any Channel) -> EventLoopFuture<PeerCredentials> {
    guard let options = channel as? any SocketOptionProvider else {
      return channel.eventLoop.makeFailedFuture(ChannelError.operationUnsupported)
    }
    return options.unsafeGetSocketOption(
      level: .init(rawValue: SOL_SOCKET), name: .init(rawValue: SO_PEERCRED))
  }

  /// The groups that the system's databases give the user (getgrouplist(3)); none for a user they do not know.
  static func groups(ofUser uid: UInt32) -> Set<UInt32> {
    var entry = passwd()
    var result: UnsafeMutablePointer<passwd>?
    var text = [CChar](repeating: 0, count: 16 << 10)
    guard getpwuid_r(uid, &entry, &text, text.count, &result) == 0, result != nil else { return [] }
    var count: Int32 = 256
    var list = [gid_t](repeating: 0, count: Int(count))
    guard getgrouplist(entry.pw_name, entry.pw_gid, &list, &count) >= 0 else { return [entry.pw_gid] }
    return Set(list.prefix(Int(count)))
  }
}

/// The user this process runs as.
public func currentUser() -> UInt32 { geteuid() }
