import Logging
import ServiceLifecycle

/// Claims jobs and runs a handler for each.
public struct Worker: Service {
  /// Does the job. Returns its result, a JSON object, or nil.
  public typealias Handler = @Sendable (JobContext) async throws -> String?

  /// A worker.
  ///
  /// - Parameters:
  ///   - types: only these types; none: any.
  ///   - concurrency: how many jobs it works on at a time, 1 or more.
  ///   - lease: how long a job stays claimed when this worker falls silent.
  ///   - gracePeriod: how long the current jobs may go on after a graceful shutdown began.
  public init(
    client: JobBrokerClient, types: [String] = [], concurrency: Int = 1,
    lease: Duration = ClaimRequest.defaultLease, gracePeriod: Duration = .seconds(30), logger: Logger? = nil,
    handler: @escaping Handler
  ) {
  }

  /// Works until graceful shutdown.
  public func run() async throws { fatalError() }
}
