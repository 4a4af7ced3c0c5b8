/// Thrown by a handler whose job can't succeed: it fails, whatever retries are left.
public struct PermanentFailure: Error, Sendable, CustomStringConvertible {
  /// Why, for a person. At most 16 KiB are kept.
  public var message: String
  /// A failure for this reason.
  public init(_ message: String) { self.message = message }
  /// The message.
  public var description: String { message }
}

/// Thrown by a handler whose job may succeed next time: it goes back to the queue while it has retries left.
public struct RetryableFailure: Error, Sendable, CustomStringConvertible {
  /// Why, for a person. At most 16 KiB are kept.
  public var message: String
  /// A failure for this reason.
  public init(_ message: String) { self.message = message }
  /// The message.
  public var description: String { message }
}
