import JobModel
import JobStore

/// Makes an empty store that tells the time by `clock`.
public typealias MakeStore =
  @Sendable (_ clock: @escaping @Sendable () -> Timestamp) async throws -> any JobStore

/// Runs every check of the contract, each on a store of its own.
///
/// - Throws: `ContractViolation` for the first check that fails, or what the store throws unasked.
public func exercise(_ makeStore: @escaping MakeStore) async throws {
  for check in ContractCheck.all { try await check.run(makeStore) }
}

/// One behaviour that every `JobStore` has.
public struct ContractCheck: Sendable, CustomStringConvertible {
  /// The behaviour, as in `claim: takes higher priorities first`.
  public let name: String
  private let body: @Sendable (ContractSubject) async throws -> Void

  init(_ name: String, _ body: @escaping @Sendable (ContractSubject) async throws -> Void) {
    self.name = name
    self.body = body
  }

  /// All of them. Those whose names begin with `original:` are the behaviours of the store that JobBroker grew out
  /// of.
  public static let all: [ContractCheck] =
    original + creating + claiming + updating + finishing + fencing + retrying + losing + sweeping + batches
    + listing + queue + watching

  /// The behaviour.
  public var description: String { name }

  /// Runs the check on a new store, and closes it.
  ///
  /// - Throws: `ContractViolation`, or what the store throws unasked.
  public func run(_ makeStore: MakeStore) async throws {
    let clock = ContractClock()
    let store = try await makeStore { clock.now }
    let outcome: Result<Void, any Error>
    do {
      try await body(ContractSubject(check: name, store: store, clock: clock))
      outcome = .success(())
    } catch { outcome = .failure(error) }
    await store.close()
    try outcome.get()
  }
}

/// A store does not do what the contract says.
public struct ContractViolation: Error, CustomStringConvertible {
  /// The behaviour.
  public let check: String
  /// What was found instead.
  public let finding: String

  /// Both, and where the check is.
  public var description: String { "\(check): \(finding)" }
}
