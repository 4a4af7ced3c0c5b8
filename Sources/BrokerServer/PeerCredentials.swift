import Glibc
import NIOCore

/// What the kernel says of the process at the other end of a Unix domain socket, as it was when it connected.
struct PeerCredentials: Sendable {
  var pid: UInt32
  var uid: UInt32
  /// Its group and its supplementary groups.
  var groups: Set<UInt32>

  /// Asks for those of a connected socket (SO_PEERCRED and SO_PEERGROUPS, unix(7)).
  ///
  /// - Throws: what the kernel answers; then nothing is known of the peer, and it is not to be served.
  static func read(from descriptor: CInt) throws(IOError) -> PeerCredentials {
    var identity = Identity()
    var size = socklen_t(MemoryLayout<Identity>.size)
    guard getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &identity, &size) == 0 else {
      throw IOError(errnoCode: errno, reason: "SO_PEERCRED")
    }
    let groups = try supplementaryGroups(of: descriptor).union([identity.gid])
    return PeerCredentials(pid: identity.pid, uid: identity.uid, groups: groups)
  }

  private static func supplementaryGroups(of descriptor: CInt) throws(IOError) -> Set<UInt32> {
    let peerGroups: CInt = 59  // SO_PEERGROUPS of asm-generic/socket.h, which Glibc does not show.
    var groups = [UInt32](repeating: 0, count: 32)
    while true {
      let room = socklen_t(groups.count * MemoryLayout<UInt32>.stride)
      var size = room
      if getsockopt(descriptor, SOL_SOCKET, peerGroups, &groups, &size) == 0 {
        return Set(groups.prefix(Int(size) / MemoryLayout<UInt32>.stride))
      }
      // Too little room: now the size says how much there must be.
      guard errno == ERANGE, size > room else { throw IOError(errnoCode: errno, reason: "SO_PEERGROUPS") }
      groups = [UInt32](repeating: 0, count: Int(size) / MemoryLayout<UInt32>.stride)
    }
  }

  /// `struct ucred`, which Glibc shows only to those who define _GNU_SOURCE.
  private struct Identity {
    var pid: UInt32 = 0
    var uid: UInt32 = 0
    var gid: UInt32 = 0
  }
}

/// The user this process runs as.
public func currentUser() -> UInt32 { geteuid() }
