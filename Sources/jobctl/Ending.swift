import ArgumentParser
import JobBrokerClient

/// What a script learns from how jobctl ends.
struct ExitStatus: RawRepresentable, Equatable {
  let rawValue: Int32

  /// Done.
  static let done = ExitStatus(rawValue: 0)
  /// The broker said no, or the job that was waited for did not succeed.
  static let refused = ExitStatus(rawValue: 1)
  /// The command line makes no sense.
  static let usage = ExitStatus(rawValue: 2)
  /// No broker answers.
  static let noBroker = ExitStatus(rawValue: 3)
  /// Ended by SIGINT, as a shell says it: 128 + 2.
  static let interrupted = ExitStatus(rawValue: 130)
}

extension ExitStatus {
  /// Thrown to end with this status and without a further word.
  var exitCode: ExitCode { ExitCode(rawValue) }
}

/// No broker answers at a socket.
struct NoBroker: Error, CustomStringConvertible {
  /// Where it was looked for.
  var socketPath: String
  /// Why it can't be reached.
  var reason: String

  var description: String {
    """
    no broker answers at \(socketPath): \(reason)
    Start one with `jobbrokerd --socket \(socketPath)`, or name the socket of a running one with --socket or \
    JOBBROKER_SOCKET.
    """
  }
}

/// How a run that threw ends: the exit status, and what is said where.
struct Ending: Equatable {
  var status: ExitStatus
  /// Asked for, as help is: for standard output.
  var output: String?
  /// For standard error.
  var complaint: String?

  init(of error: any Error) {
    switch error {
    case let error as NoBroker:
      self.init(status: .noBroker, complaint: "jobctl: \(error)")
    case let error as JobError:
      self.init(status: .refused, complaint: "jobctl: \(error.message) (\(error.code.rawValue))")
    case is CancellationError:
      self.init(status: .interrupted)
    default:
      let message = Jobctl.fullMessage(for: error)
      let text = message.isEmpty ? nil : message
      switch Jobctl.exitCode(for: error) {
      case .success: self.init(status: .done, output: text)
      case .validationFailure: self.init(status: .usage, complaint: text)
      case let code: self.init(status: ExitStatus(rawValue: code.rawValue), complaint: text)
      }
    }
  }

  private init(status: ExitStatus, output: String? = nil, complaint: String? = nil) {
    self.status = status
    self.output = output
    self.complaint = complaint
  }
}
