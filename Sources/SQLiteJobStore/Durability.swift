/// What a transaction survives once `sync` has returned.
public enum Durability: String, Sendable, CaseIterable {
  /// A power cut.
  case full
  /// The end of the process, however it ends, but not a power cut or a crash of the system: `sync` does nothing.
  case relaxed
}
