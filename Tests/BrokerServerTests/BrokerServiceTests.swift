import JobModel
import JobStore
import Logging
import Synchronization
import TestSupport
import Testing

@testable import BrokerServer

/// What the service leaves behind.
@Suite struct BrokerServiceTests {
  @Test func aStoreThatCannotRecoverIsClosedAndItsReasonIsTold() async throws {
    let directory = TemporaryDirectory()
    let store = LostStore()
    let service = BrokerService(
      store: store, loop: BrokerLoop(), socket: try SocketBinder.bind(path: directory.file("broker.sock")),
      notifier: ServiceNotifier(environment: [:]), logger: Logger(label: "test")
    ) { Issue.record("ready") }
    let error = await #expect(throws: JobError.self) { try await service.run() }
    #expect(error == LostStore.reason)
    #expect(store.isClosed)
  }
}

/// A store that has nothing to recover from.
private final class LostStore: JobStore {
  static let reason = JobError(.unavailable, "The database is not there.")

  private let closed = Atomic(false)
  var isClosed: Bool { closed.load(ordering: .acquiring) }
  let name = "lost"
  let executor: (any TaskExecutor)? = nil
  let isRemote = true

  func recover() throws(JobError) -> Recovery { throw Self.reason }
  func close() { closed.store(true, ordering: .releasing) }

  func execute(_ commands: [JobCommand]) throws(JobError) -> [Result<JobReply, JobError>] {
    throw Self.reason
  }
  func sync() {}
  func get(_ id: JobID) -> Job? { nil }
  func list(_ filter: JobFilter) -> JobPage { JobPage(jobs: [], nextCursor: nil) }
  func position(_ id: JobID) -> QueuePosition { .none }
  func stats() -> [TypeStats] { [] }
  func backup(to path: String) {}
}
