import JobModel
import Testing

@testable import JobBrokerClient

@Suite(.timeLimit(.minutes(10))) struct RequestLineTests {
  @Test func otherRequestsLeavePlacesToHeartbeats() async throws {
    let (_, connection, client) = try await connected(maxInFlight: 4)
    let job = someJob()
    // On the client's loop, so that it sends whatever it can of them in one write.
    let pings = (0..<3).map { _ in Task(executorPreference: client.taskExecutor) { try await client.ping() } }
    let sent = [try await connection.next(), try await connection.next()]
    #expect(sent.map(\.operation) == [.ping, .ping])
    let ending = Task(executorPreference: client.taskExecutor) {
      try await client.update(job.id, JobUpdate(result: "{}"), attempt: 1)
    }
    let heartbeats = (0..<3).map { count in
      Task(executorPreference: client.taskExecutor) {
        try await client.update(
          job.id, JobUpdate(progress: Double(count), stage: .set("at work")), attempt: 1)
      }
    }
    // The third heartbeat goes before the third ping and the ending, though they stood in line before it.
    for _ in heartbeats {
      let (id, operation) = try await connection.next()
      guard case .update(job.id, attempt: 1, let update) = operation else {
        Issue.record("\(operation)")
        return
      }
      #expect(update.progress != nil)
      connection.reply(to: id, .job(job))
    }
    for (id, _) in sent { connection.reply(to: id, .pong) }
    let last = [try await connection.next(), try await connection.next()]
    #expect(last.map(\.operation) == [.ping, .update(job.id, attempt: 1, JobUpdate(result: "{}"))])
    connection.reply(to: last[0].id, .pong)
    connection.reply(to: last[1].id, .job(job))
    for ping in pings { try await ping.value }
    for update in heartbeats + [ending] { #expect(try await update.value == job) }
  }

  @Test func largeRequestsLeaveRoomToHeartbeats() async throws {
    let (_, connection, client) = try await connected()
    let job = someJob()
    let result = #"{"text":"\#(String(repeating: "a", count: 300_000))"}"#
    // 28 make 8 MiB.
    let endings = (0..<30).map { _ in
      Task(executorPreference: client.taskExecutor) {
        try await client.complete(job.id, result: result, attempt: 1)
      }
    }
    let heartbeat = Task(executorPreference: client.taskExecutor) {
      try await client.update(job.id, JobUpdate(), attempt: 1)
    }
    var ids: [UInt64] = []
    for _ in 0..<28 {
      let (id, operation) = try await connection.next()
      // Not by #expect, which would show them.
      let isEnding = operation == .complete(job.id, attempt: 1, result: result)
      #expect(isEnding)
      ids.append(id)
    }
    let (id, operation) = try await connection.next()
    let isHeartbeat = operation == .update(job.id, attempt: 1, JobUpdate())
    #expect(isHeartbeat)
    for id in ids + [id] { connection.reply(to: id, .job(job)) }
    for _ in 0..<2 { connection.reply(to: try await connection.next().id, .job(job)) }
    for call in endings + [heartbeat] { #expect(try await call.value == job) }
  }
}
