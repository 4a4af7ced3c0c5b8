/// What others who use the same store changed since it was last asked.
public struct StoreChanges: Sendable, Equatable {
  /// A job that was deleted.
  public struct DeletedJob: Sendable, Equatable {
    /// Its id.
    public var id: JobID
    /// Its type.
    public var type: String

    /// A deleted job from its parts.
    public init(id: JobID, type: String) {
      self.id = id
      self.type = type
    }
  }

  /// The jobs that changed, as they are now, without metadata; in the order of their last change.
  public var jobs: [Job] = []
  /// The jobs that are no more.
  public var deleted: [DeletedJob] = []
  /// All types whose claims are stopped.
  public var pausedTypes: Set<TypeName> = []
  /// Whether no change is forgotten.
  public var isComplete = true
  /// When some are: what is in force now, to begin anew with.
  public var recovery: Recovery?
  /// Whether there are more to be asked for at once.
  public var hasMore = false

  /// The number of the last change that is known now.
  public var last: Int64 = 0

  /// No changes.
  public init() {}
}
