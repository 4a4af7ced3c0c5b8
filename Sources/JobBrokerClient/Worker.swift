import JobModel
import Logging
import ServiceLifecycle

/// Claims jobs and runs a handler for each.
///
/// Jobs are claimed by one blocking call and kept by heartbeats that do not depend on the handler's thread. A job
/// that is cancelled, or otherwise taken away, cancels its handler's task, and nothing of it is reported any more.
public struct Worker: Service {
  /// Does the job. What it comes to:
  ///
  /// - it returns: the job is complete; the result is a JSON object or nil;
  /// - it throws `PermanentFailure`: the job fails;
  /// - it throws any other error: the job fails retryably, because most errors no one foresaw do not last;
  /// - it throws because this worker is stopping: the job is given back unharmed.
  public typealias Handler = @Sendable (JobContext) async throws -> String?

  /// How long one claim waits; then comes the next.
  private static let claimWait: Duration = .seconds(60)

  private let client: JobBrokerClient
  private let types: [String]
  private let concurrency: Int
  private let lease: Duration
  private let gracePeriod: Duration
  private let logger: Logger
  private let handler: Handler

  /// A worker.
  ///
  /// - Parameters:
  ///   - types: only these types; none: any.
  ///   - concurrency: how many jobs it works on at a time, 1 or more.
  ///   - lease: how long a job stays claimed when this worker falls silent, 10 ms to 7 days.
  ///   - gracePeriod: how long the current jobs may go on after a graceful shutdown began; then their handlers are
  ///     cancelled.
  ///   - handler: does a job.
  public init(
    client: JobBrokerClient, types: [String] = [], concurrency: Int = 1,
    lease: Duration = ClaimRequest.defaultLease, gracePeriod: Duration = .seconds(30), logger: Logger? = nil,
    handler: @escaping Handler
  ) {
    precondition(concurrency >= 1, "a worker works on one job at least")
    self.client = client
    self.types = types
    self.concurrency = concurrency
    self.lease = lease
    self.gracePeriod = gracePeriod
    self.logger = logger ?? Logger(label: "jobbroker.worker", factory: { _ in SwiftLogNoOpLogHandler() })
    self.handler = handler
  }

  /// Works until graceful shutdown: then it takes no new jobs and finishes the current ones, as far as the grace
  /// period allows. What is cut short, by that or by the cancellation of this task, is given back once its handler
  /// has ended; a broker that does not answer then is waited for two seconds.
  ///
  /// - Throws: what ends the client, or makes claiming pointless: INVALID_ARGUMENT, PERMISSION_DENIED, UNSUPPORTED.
  public func run() async throws {
    let places = Places(concurrency)
    let failure = await withDiscardingTaskGroup(returning: JobError?.self) { group in
      let failure = await claim(into: &group, places)
      if failure == nil { await drain(places) }
      group.cancelAll()
      return failure
    }
    if let failure { throw failure }
  }

  // MARK: Claiming

  /// Claims and starts jobs until the worker is to stop (nil) or can't go on.
  private func claim(into group: inout DiscardingTaskGroup, _ places: Places) async -> JobError? {
    var failures = 0
    while !isStopping {
      do {
        let jobs = try await cancelWhenGracefulShutdown { try await nextJobs(places) }
        failures = 0
        let cameTooLate = isStopping
        for job in jobs {
          places.take()
          group.addTask {
            await work(on: job, cameTooLate: cameTooLate)
            places.giveBack()
          }
        }
      } catch {
        if isStopping { break }
        let error = error as? JobError ?? JobError(.internal, "\(error)")
        if let ending = client.ending { return ending }
        switch error.code {
        case .invalidArgument, .permissionDenied, .unsupported: return error
        default: break
        }
        failures += 1
        let delay = client.configuration.backoff.delay(afterFailures: failures)
        logger.warning("can't claim", metadata: ["error": "\(error)", "again in": "\(delay)"])
        try? await cancelWhenGracefulShutdown { try await Task.sleep(for: delay) }
      }
    }
    return nil
  }

  private var isStopping: Bool { Task.isCancelled || Task.isShuttingDownGracefully }

  /// The next jobs; also those that come when the calling task was cancelled and the claim withdrawn. The client may be
  /// closed as soon as the worker has ended, so nobody else would give them back.
  private func nextJobs(_ places: Places) async throws(JobError) -> [Job] {
    await places.wait(for: 1)
    if Task.isCancelled { return [] }
    let claim = ClaimRequest(
      types: types, maxJobs: min(places.free, Limits.claimBatch), wait: Self.claimWait, lease: lease)
    guard case .claimed(let jobs) = try await client.sendShielded(.claim(claim)) else {
      throw .unexpectedReply(to: "claim")
    }
    return jobs
  }

  /// Lets the current jobs finish, within the grace period.
  private func drain(_ places: Places) async {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await places.wait(for: places.total) }
      group.addTask { try? await Task.sleep(for: gracePeriod) }
      await group.next()
      group.cancelAll()
    }
  }

  // MARK: Working

  private enum Happening: Sendable {
    case handlerEnded(Result<String?, any Error>)
    case revoked(String)
    /// There will be no notice: the worker is stopping, or the client was closed.
    case noNotice
  }

  /// Works on a job, or gives it back when it came after the worker was to stop.
  private func work(on job: Job, cameTooLate: Bool) async {
    let claim = client.hold(job.claim, lease: lease)
    var logger = logger
    logger[metadataKey: "job"] = "\(job.id)"
    logger[metadataKey: "attempt"] = "\(job.attempt)"
    let ending =
      cameTooLate
      ? .release(job.id, attempt: job.attempt, delay: .zero) : await handle(job, claim, logger)
    if let ending {
      claim.told(await finish(ending, claim, logger))
    } else {
      claim.told(JobError(.staleClaim, "The job was taken away."))
    }
    client.drop(claim)
  }

  /// Runs the handler to its end, and says what to tell the broker: nothing when the job was taken away.
  private func handle(_ job: Job, _ claim: HeldClaim, _ logger: Logger) async -> JobModel.Operation? {
    await withTaskGroup(of: Happening.self) { group in
      group.addTask {
        do {
          return .handlerEnded(
            .success(try await handler(JobContext(job: job, claim: claim, client: client))))
        } catch {
          return .handlerEnded(.failure(error))
        }
      }
      group.addTask {
        for await revocation in client.revocations(of: claim.token) { return .revoked(revocation.reason) }
        return .noNotice
      }
      for await happening in group {
        switch happening {
        case .revoked(let reason):
          logger.info("job taken away", metadata: ["because": "\(reason)"])
          group.cancelAll()
        case .noNotice:
          group.cancelAll()
        case .handlerEnded(let result):
          group.cancelAll()
          return claim.isOver ? nil : ending(of: claim.token, result, isStopping: Task.isCancelled)
        }
      }
      return nil
    }
  }

  private func ending(
    of claim: ClaimToken, _ result: Result<String?, any Error>, isStopping: Bool
  ) -> JobModel.Operation {
    switch result {
    case .success(let result):
      .complete(claim.id, attempt: claim.attempt, result: result)
    case .failure(let error) where isStopping || error is NotBegun:
      .release(claim.id, attempt: claim.attempt, delay: .zero)
    case .failure(let error):
      .fail(
        claim.id, attempt: claim.attempt, error: errorText(error), retryable: !(error is PermanentFailure))
    }
  }

  /// Tells the broker, again and again as long as that may help; after the grace period once more.
  ///
  /// - Returns: why it has not taken the ending; nil when it has.
  private func finish(
    _ ending: JobModel.Operation, _ claim: HeldClaim, _ logger: Logger
  ) async -> JobError? {
    var ending = ending
    var refusal: JobError?
    var failures = 0
    while true {
      do throws(JobError) {
        _ = try await client.sendShielded(ending)
        return refusal
      } catch {
        logger.warning("the broker did not take the job's ending", metadata: ["error": "\(error)"])
        switch error.code {
        case .unavailable, .unknownOutcome, .resourceExhausted, .internal:
          guard client.ending == nil, !claim.isOver, !Task.isCancelled else { return error }
          failures += 1
          try? await Task.sleep(for: client.configuration.backoff.delay(afterFailures: failures))
        case .invalidArgument:
          guard case .complete(let id, let attempt, _) = ending else { return error }
          refusal = error
          let reason = "the handler's result was refused: \(error.message)"
          ending = .fail(id, attempt: attempt, error: reason, retryable: false)
        default:
          return error
        }
      }
    }
  }
}
