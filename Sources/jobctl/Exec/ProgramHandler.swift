import JobBrokerClient
import Subprocess

/// Works on a job by running a program: the handler of `jobctl work`.
struct ProgramHandler: Sendable {
  /// The program and its arguments.
  var command: [String]
  /// How long it has between SIGTERM and SIGKILL.
  var killGrace: Duration
  /// Where its standard error, and what is odd about its output, are shown.
  var diagnostics: QueuedOutput?
  var watchdog: Watchdog
  /// Told that the program can't be run, and why; returns when the worker takes no more jobs.
  var onFault: @Sendable (ProgramFault) async -> Void
  /// Told of each job that was worked on, once it is settled whether the broker took its ending.
  var onEnd: @Sendable (WorkReport) -> Void

  /// Bytes of standard error that become a job's error.
  static let tailLimit = 4 << 10

  /// Runs the program.
  ///
  /// - Returns: the job's result.
  /// - Throws: `RetryableFailure`, `PermanentFailure`; `NotBegun` when the program can't be run; `CancellationError` when
  ///   it was stopped.
  func run(_ context: JobContext) async throws -> String? {
    let began = ContinuousClock.now
    let ending = await ending(of: context)
    let time = ContinuousClock.now - began
    let job = context.job
    context.onceTold { onEnd(WorkReport(job: job, ending: ending, time: time, refusal: $0)) }
    switch ending {
    case .complete(let result): return result
    case .retryable(let error): throw RetryableFailure(error)
    case .failed(let error): throw PermanentFailure(error)
    case .notBegun: throw NotBegun()
    case .stopped: throw CancellationError()
    }
  }

  private func ending(of context: JobContext) async -> WorkEnding {
    let job = context.job
    let child = ChildProcess(
      command: command,
      environment: [
        "JOB_ID": job.id.description, "JOB_TYPE": job.type, "JOB_ATTEMPT": String(job.attempt),
      ],
      input: Array((job.metadata ?? "{}").utf8), grace: killGrace)
    do {
      let end = try await child.run {
        await watchdog.watch($0)
      } output: {
        await follow($0, context)
      } errors: {
        await tail(of: $0)
      }
      await watchdog.forget(end.group)
      return end.wasStopped
        ? .stopped : WorkEnding(status: end.status, outcome: end.output, errors: end.errors)
    } catch {
      await onFault(ProgramFault(program: command[0], reason: "\(error)"))
      return .notBegun
    }
  }

  /// Reports what the program says to the broker.
  private func follow(
    _ stream: SubprocessOutputSequence, _ context: JobContext
  ) async -> ProgramOutput.Outcome {
    var output = ProgramOutput()
    var reports: [ProgramOutput.Report] = []
    do {
      for try await buffer in stream {
        buffer.withUnsafeBytes { bytes in output.feed(bytes) { reports.append($0) } }
        for report in reports { await send(report, context) }
        reports.removeAll(keepingCapacity: true)
      }
    } catch {
      // A pipe that can't be read any more has ended.
    }
    output.finish { reports.append($0) }
    for report in reports { await send(report, context) }
    return output.outcome
  }

  /// A report that is refused because the job is no longer ours changes nothing here: the cancellation is on its
  /// way.
  private func send(_ report: ProgramOutput.Report, _ context: JobContext) async {
    switch report {
    case .stage(let stage): try? await context.report(stage: stage, progress: 0)
    case .progress(let progress): try? await context.report(progress: progress)
    case .malformed(let reason):
      diagnostics?.write("jobctl: job \(context.job.id): \(reason)\n")
    }
  }

  private func tail(of stream: SubprocessOutputSequence) async -> String {
    var tail = Tail(limit: ProgramHandler.tailLimit)
    do {
      for try await buffer in stream {
        buffer.withUnsafeBytes { bytes in
          tail.feed(bytes)
          diagnostics?.write(bytes)
        }
      }
    } catch {
      // As above: what came so far is the end of it.
    }
    return tail.text
  }
}

/// A program that can't be run: no job's fault, and no job will fare better.
struct ProgramFault: Error, CustomStringConvertible {
  var program: String
  var reason: String

  var description: String { "\(program) can't be run: \(reason)" }
}

/// What the end of a program means for its job.
enum WorkEnding: Equatable {
  case complete(result: String?)
  /// It may work next time.
  case retryable(String)
  case failed(String)
  /// The program can't be run.
  case notBegun
  /// The program was told to stop: the job was taken away, or this worker is going.
  case stopped

  /// sysexits.h: a temporary failure, the user is invited to retry.
  static let temporaryFailure: Int32 = 75

  /// - Parameters:
  ///   - outcome: what its standard output came to.
  ///   - errors: the tail of its standard error.
  init(status: TerminationStatus, outcome: ProgramOutput.Outcome, errors: String) {
    func reason(_ ended: String) -> String { errors.isEmpty ? ended : "\(ended): \(errors)" }
    switch (status, outcome) {
    case (.exited(0), .nothing): self = .complete(result: nil)
    case (.exited(0), .object(let result)): self = .complete(result: result)
    case (.exited(0), .tooLarge(let size)):
      self = .failed("the result has \(size) bytes; at most \(Limits.payload) are kept")
    case (.exited(0), .tooDeep):
      self = .failed("the result is nested more than \(Limits.depth) levels deep")
    case (.exited(WorkEnding.temporaryFailure), _):
      self = .retryable(reason("exit status \(WorkEnding.temporaryFailure)"))
    case (.exited(let code), _): self = .failed(reason("exit status \(code)"))
    case (.signaled(let signal), _): self = .failed(reason("killed by signal \(signal)"))
    }
  }
}
