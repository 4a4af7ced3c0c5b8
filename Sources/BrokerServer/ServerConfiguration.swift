import BrokerCore
import JobModel

/// How the server serves.
public struct ServerConfiguration: Sendable {
  /// The core's settings.
  public var core = CoreConfiguration()
  /// Who may connect and who is an operator.
  public var access = AccessPolicy()
  /// Connections in all.
  public var maxConnections = 16_384
  /// Connections of one user id.
  public var maxConnectionsPerUser = 12_288
  /// How long a peer may take over its hello, over each frame it has begun, and over reading what was sent to it before
  /// the broker hangs up.
  public var frameTimeout: Duration = .seconds(30)
  /// Bytes that one read of a socket takes at most, one read a turn.
  static let readSize = 8 << 10
  /// Bytes of the unanswered requests of one connection, beyond which it is read no further.
  static let maxUnanswered = 16 << 20
  /// Bytes that all connections may make the broker hold: frames that have begun to arrive, requests that are under
  /// way, responses that are not read, and the small buffer that each keeps for its next response.
  static let maxHeld = 256 << 20
  /// Answers of reads that may wait in memory for the disk.
  static let maxAnswersHeld = 32
  /// How long a drain may take before connections are cut.
  public var drainTimeout: Duration = .seconds(8)

  /// The defaults.
  public init() {}
}

/// Who may connect, by what the kernel says of the peer (`PeerCredentials`).
public struct AccessPolicy: Sendable {
  /// The user the broker runs as; always allowed, and an operator.
  public var ownUser: UInt32
  /// Users that may connect; with `allowedGroups` empty too, whoever the socket's mode lets in.
  public var allowedUsers: Set<UInt32> = []
  /// Groups whose members may connect.
  public var allowedGroups: Set<UInt32> = []
  /// Groups whose members may do what only operators may.
  public var operatorGroups: Set<UInt32> = []

  /// A policy for the user this process runs as.
  public init() { ownUser = currentUser() }

  /// Whether a peer may connect.
  func allows(user: UInt32, groups: Set<UInt32>) -> Bool {
    if user == 0 || user == ownUser || allowedUsers.isEmpty && allowedGroups.isEmpty { return true }
    return allowedUsers.contains(user) || !allowedGroups.isDisjoint(with: groups)
      || isOperator(user: user, groups: groups)
  }

  /// Whether a peer is an operator.
  func isOperator(user: UInt32, groups: Set<UInt32>) -> Bool {
    user == 0 || user == ownUser || !operatorGroups.isDisjoint(with: groups)
  }
}
