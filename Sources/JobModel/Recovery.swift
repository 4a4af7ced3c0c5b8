/// What a broker must know of a store's past before it serves it.
public struct Recovery: Sendable, Equatable {
  /// A claim that was in force when the last broker ended.
  public struct HeldClaim: Sendable, Equatable {
    /// The job, processing; metadata, result, error and stage may be left out.
    public var job: Job
    /// The full term of its lease, which it is given again.
    public var lease: Duration

    /// A held claim from its parts.
    public init(job: Job, lease: Duration) {
      self.job = job
      self.lease = lease
    }
  }

  /// Claims in force.
  public var held: [HeldClaim]
  /// Types whose claims are stopped.
  public var pausedTypes: Set<TypeName>
  /// When the next job that waits for a moment may be claimed.
  public var nextDue: Timestamp?

  /// A past from its parts; with no argument, none.
  public init(held: [HeldClaim] = [], pausedTypes: Set<TypeName> = [], nextDue: Timestamp? = nil) {
    self.held = held
    self.pausedTypes = pausedTypes
    self.nextDue = nextDue
  }
}
