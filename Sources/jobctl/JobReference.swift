import ArgumentParser
import JobBrokerClient

/// How a person names a job: by its id, or by the beginning of it.
struct JobReference: ExpressibleByArgument, Equatable {
  /// 1–32 hexadecimal digits, in lower case, without dashes.
  let digits: String

  init?(argument: String) {
    let digits = argument.lowercased().filter { $0 != "-" }
    guard (1...32).contains(digits.utf8.count), digits.utf8.allSatisfy(Self.isHexadecimal) else { return nil }
    self.digits = digits
  }

  /// The id, when nothing of it is left out.
  var wholeID: JobID? { JobID(digits) }

  /// The id among the jobs that begin with these digits.
  ///
  /// - Throws: NOT_FOUND when there is none, INVALID_ARGUMENT naming the candidates when there are several.
  func choose(among ids: [JobID], isComplete: Bool = true) throws(JobError) -> JobID {
    let candidates = ids.filter { $0.hexadecimal.hasPrefix(digits) }
    guard let first = candidates.first else {
      throw JobError(.notFound, "No job's id begins with \(digits).")
    }
    guard candidates.count == 1 else {
      let list = candidates.map { "\n  \($0)" }.joined() + (isComplete ? "" : "\n  and more")
      throw JobError(.invalidArgument, "Several jobs' ids begin with \(digits); give more of it:\(list)")
    }
    return first
  }

  private static func isHexadecimal(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
      || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
  }
}

extension JobBrokerClient {
  /// The id that a reference means.
  func resolve(_ reference: JobReference) async throws(JobError) -> JobID {
    if let id = reference.wholeID { return id }
    let page = try await list(JobFilter(idPrefix: reference.digits, limit: 10))
    return try reference.choose(among: page.jobs.map(\.id), isComplete: page.nextCursor == nil)
  }

  /// The ids that references mean, in their order.
  func resolve(_ references: [JobReference]) async throws(JobError) -> [JobID] {
    var ids: [JobID] = []
    for reference in references { ids.append(try await resolve(reference)) }
    return ids
  }

  /// Does something, once, to each of the jobs that references mean, to the others too when one is refused.
  ///
  /// - Throws: `ExitCode` 1 at the end when one was refused; what concerns all of them, at once.
  func forEach(
    _ references: [JobReference], _ body: (JobID) async throws(JobError) -> Void
  ) async throws {
    var ids: [JobID] = []
    var isRefused = false
    func refuse(_ error: JobError) throws(JobError) {
      guard [.notFound, .invalidArgument, .alreadyExists].contains(error.code) else { throw error }
      Ending(of: error).complaint.map { StandardStream.error.write($0 + "\n") }
      isRefused = true
    }
    // All before the first change: what is ambiguous now may not be so after it.
    for reference in references {
      do {
        let id = try await resolve(reference)
        if !ids.contains(id) { ids.append(id) }
      } catch {
        try refuse(error)
      }
    }
    for id in ids {
      do { try await body(id) } catch { try refuse(error) }
    }
    if isRefused { throw ExitStatus.refused.exitCode }
  }
}
