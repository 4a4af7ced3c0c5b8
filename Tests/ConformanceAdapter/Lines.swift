import Foundation
import JobBrokerClient
import VectorSupport

/// Prints what the client answers as the lines of proto/vectors/conformance/README.md.
struct Lines {
  /// The jobs' names by id.
  var names: [JobID: String] = [:]

  func name(_ id: JobID) -> JSON { .string(names[id] ?? "unknown") }

  func write(_ step: String, _ members: JSON) {
    guard case .object(var members) = members else { return }
    members["step"] = .string(step)
    ConformanceAdapter.write(JSON.object(members).description)
  }

  func names(_ step: String, _ ids: [JobID]) {
    write(step, ["names": .array(ids.map(name))])
  }

  func job(_ step: String, _ job: Job, isWhole: Bool = false) {
    write(step, ["job": json(job, isWhole: isWhole)])
  }

  func jobs(_ step: String, _ jobs: [Job], isWhole: Bool) {
    for job in jobs { self.job(step, job, isWhole: isWhole) }
  }

  func created(_ step: String, _ outcomes: [CreatedJob]) {
    for outcome in outcomes {
      write(step, ["created": .bool(outcome.created), "job": json(outcome.job)])
    }
  }

  func history(of job: Job) {
    for record in job.history {
      write(
        "history",
        [
          "attempt": .integer(Int64(record.attempt)), "cause": .string(record.cause.rawValue.uppercased()),
          "name": name(job.id), "worker": .string(record.worker?.name ?? ""),
        ])
    }
  }

  /// Prints the error that `body` is expected to throw.
  @MainActor
  func refused<Value>(_ step: String, _ body: @MainActor () async throws -> Value) async {
    do {
      _ = try await body()
      write(step, ["code": "OK"])
    } catch let error as JobError {
      var members: [String: JSON] = ["code": .string(error.code.rawValue)]
      if let job = error.job { members["job"] = json(job) }
      write(step, .object(members))
    } catch {
      write(step, ["code": .string("\(error)")])
    }
  }

  private func json(_ job: Job, isWhole: Bool = false) -> JSON {
    var members: [String: JSON] = [
      "attempt": .integer(Int64(job.attempt)), "lost_count": .integer(Int64(job.lostCount)),
      "name": name(job.id), "priority": .integer(Int64(job.priority)), "progress": .real(job.progress),
      "retry_count": .integer(Int64(job.retryCount)), "status": .string(job.status.rawValue.uppercased()),
      "type": .string(job.type),
    ]
    members["error"] = job.error.map(JSON.string)
    members["stage"] = job.stage.map(JSON.string)
    members["worker"] = job.worker.map { .string($0.name) }
    if isWhole {
      members["metadata"] = job.metadata.map(Lines.parsed)
      members["result"] = job.result.map(Lines.parsed)
    }
    return .object(members)
  }

  private static func parsed(_ text: String) -> JSON {
    (try? JSONDecoder().decode(JSON.self, from: Data(text.utf8))) ?? .string(text)
  }
}
