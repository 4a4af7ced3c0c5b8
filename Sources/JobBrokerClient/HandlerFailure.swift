import JobModel

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

/// Thrown by a handler that could not begin: the fault is the worker's, so the job is given back and no retry counts.
package struct NotBegun: Error {
  package init() {}
}

/// What the protocol takes as an error's text: no NUL, and no longer than its limit.
func errorText(_ error: any Error) -> String {
  var text = "\(error)"
  if text.utf8.contains(0) { text = text.split(separator: "\0").joined(separator: " ") }
  guard text.utf8.count > Limits.error else { return text }
  var end = text.utf8.index(text.startIndex, offsetBy: Limits.error)
  while end.samePosition(in: text.unicodeScalars) == nil { end = text.utf8.index(before: end) }
  return String(text[..<end])
}
