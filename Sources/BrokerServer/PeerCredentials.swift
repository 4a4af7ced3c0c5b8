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

  /// The process's group and the groups the system's databases give its user (getgrouplist(3)).
  func groups() -> Set<UInt32> {
    var found: Set<UInt32> = [gid]
    var entry = passwd()
    var result: UnsafeMutablePointer<passwd>?
    var text = [CChar](repeating: 0, count: 16 << 10)
    guard getpwuid_r(uid, &entry, &text, text.count, &result) == 0, result != nil else { return found }
    var count: Int32 = 256
    var list = [gid_t](repeating: 0, count: Int(count))
    if getgrouplist(entry.pw_name, gid, &list, &count) >= 0 { found.formUnion(list.prefix(Int(count))) }
    return found
  }
}

/// The user this process runs as.
public func currentUser() -> UInt32 { geteuid() }
