import JobModel
import JobStore
import LibSQLJobStore
import LibSQLTestSupport
import Logging
import Testing

/// Runs a test against a real server of its own.
func withServer(_ arguments: [String] = [], _ body: (SQLServer) async throws -> Void) async throws {
  let server = try await SQLServer.start(arguments)
  let outcome = await closingStores { try await body(server) }
  await server.stop()
  try outcome.get()
}

/// The stores that a test has opened.
private actor OpenStores {
  @TaskLocal static var ofTest = OpenStores()

  private var stores: [LibSQLJobStore] = []

  func add(_ store: LibSQLJobStore) { stores.append(store) }

  func close() async { for store in stores { await store.close() } }
}

/// Runs a test, and closes what it opened, whatever becomes of it: one left open ends the whole process.
func closingStores(_ body: () async throws -> Void) async -> Result<Void, any Error> {
  let stores = OpenStores()
  let outcome: Result<Void, any Error>
  do { outcome = .success(try await OpenStores.$ofTest.withValue(stores, operation: body)) } catch {
    outcome = .failure(error)
  }
  await stores.close()
  return outcome
}

extension LibSQLConfiguration {
  /// What a test wants unless the end of its patience is the test: on a machine that stands still for some seconds, what
  /// was sent is not sent again, so that the first answer is the one that is told.
  mutating func beReadyToWait() {
    connectTimeout = .seconds(60)
    requestTimeout = .seconds(60)
  }
}

/// Opens a store that says nothing; `closingStores` closes it.
func open(
  _ url: String, token: String? = nil, authorities: String? = nil,
  _ change: (inout LibSQLConfiguration) -> Void = { _ in }
) async throws -> LibSQLJobStore {
  var configuration = try LibSQLConfiguration(url: url, token: token, authorities: authorities)
  configuration.beReadyToWait()
  change(&configuration)
  let store = try await LibSQLJobStore.open(
    configuration, logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
  await OpenStores.ofTest.add(store)
  return store
}

/// The error that `body` must throw.
@discardableResult
func error(
  _ code: JobError.Code, sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> Void
) async -> JobError? {
  do {
    try await body()
    Issue.record("no \(code.rawValue)", sourceLocation: sourceLocation)
  } catch let error as JobError {
    #expect(error.code == code, "\(error)", sourceLocation: sourceLocation)
    return error
  } catch {
    Issue.record(error, sourceLocation: sourceLocation)
  }
  return nil
}

let worker = WorkerIdentity(name: "w", pid: 1, uid: 1)

extension JobStore {
  func claim(_ maxJobs: Int = 1, types: [String] = []) async throws -> [Job] {
    let reply = try await commit(.claim(types: types, maxJobs: maxJobs, lease: .seconds(30), worker: worker))
    guard case .claimed(let jobs) = reply else { return [] }
    return jobs
  }

  func changes() async throws -> StoreChanges {
    guard case .changes(let changes) = try await commit(.changes) else { return StoreChanges() }
    return changes
  }
}
