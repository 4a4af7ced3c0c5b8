/// The bounds of what one request may say. They keep every reply within one frame.
public enum Limits {
  /// Bytes of a frame after its length prefix.
  public static let frame = 1 << 20
  /// Requests of one connection that may be unanswered at a time.
  public static let inFlight = 128
  /// Bytes of a job's metadata, and of its result.
  public static let payload = 384 << 10
  /// Objects and lists within one another, in metadata and in a result (SQLITE_JSON_MAX_DEPTH in the package's manifest).
  public static let depth = 2000
  /// Bytes of a job's error.
  public static let error = 16 << 10
  /// Bytes of a job type, stage, unique key, worker or client name.
  public static let name = 256
  /// Bytes of a path.
  public static let path = 4096
  /// Jobs of one create.
  public static let createBatch = 1000
  /// Jobs of one claim.
  public static let claimBatch = 100
  /// Types a claim or watch may name, and ids a watch may name.
  public static let selection = 1000
  /// Jobs of one page of a list.
  public static let page = 1000
  /// Jobs of a watch's snapshot.
  public static let snapshot = 10_000
  /// Automatic retries, and tolerated losses.
  public static let retries = 1_000_000
  /// The range of a lease.
  public static let lease: ClosedRange<Duration> = .milliseconds(10)...(.seconds(7 * 86_400))
  /// The longest a claim may wait, a release delay, a reap or prune look back.
  public static let longestWait: Duration = .seconds(10 * 365 * 86_400)
}
