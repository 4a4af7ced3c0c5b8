import ArgumentParser
import Glibc
import JobBrokerClient
import UnixSignals

/// What a script learns from how jobctl ends.
struct ExitStatus: RawRepresentable, Equatable {
  let rawValue: Int32

  /// Done.
  static let done = ExitStatus(rawValue: 0)
  /// The broker said no, the job that was waited for did not succeed, or a worker can't go on.
  static let refused = ExitStatus(rawValue: 1)
  /// The command line makes no sense.
  static let usage = ExitStatus(rawValue: 2)
  /// No broker answers, or none that this user may connect to.
  static let noBroker = ExitStatus(rawValue: 3)
  /// Ended by a signal, as a shell says it: 128 + its number.
  static func ended(by signal: UnixSignal) -> ExitStatus { ExitStatus(rawValue: 128 + signal.rawValue) }
}

extension ExitStatus {
  /// Thrown to end with this status and without a further word.
  var exitCode: ExitCode { ExitCode(rawValue) }

  /// Ends this process.
  func endProcess() -> Never { exit(rawValue) }
}

/// No broker answers at a socket, or none that this user may connect to.
struct NoBroker: Error, CustomStringConvertible {
  /// Where it was looked for, and how to start one.
  var reason: String
  /// Whether there is one that refuses this user, so that it is no use to wait for it.
  var isForOthers = false

  var description: String {
    """
    \(reason)
    The socket of a running broker is named with --socket or JOBBROKER_SOCKET.
    """
  }
}

extension NoBroker {
  /// - Parameter message: what the client says of it.
  init(at path: String, _ message: String) {
    // connect(2) asks for the right to write to the socket and to enter its directory; so does access(2).
    let isClosed = access(path, W_OK) != 0 && errno == EACCES
    self.init(reason: isClosed ? NoBroker.denied(path) : message)
  }

  /// Who may connect to a socket that is closed to this user.
  private static func denied(_ path: String) -> String {
    var status = stat()
    guard stat(path, &status) == 0 else {
      return "Permission denied: \(path) is for those who may enter its directory."
    }
    let owner = getpwuid(status.st_uid).map { String(cString: $0.pointee.pw_name) } ?? "\(status.st_uid)"
    let group = getgrgid(status.st_gid).map { String(cString: $0.pointee.gr_name) } ?? "\(status.st_gid)"
    let mode = String(status.st_mode & 0o777, radix: 8)
    return "Permission denied: \(path) has mode 0\(mode), is user \(owner)'s and group \(group)'s."
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
    case let error as ValidationError:
      // Found when the command ran: the parser, which knows the command, adds its usage to what it finds itself.
      self.init(status: .usage, complaint: "jobctl: \(error.message)")
    case let error as ProgramFault:
      self.init(status: .refused, complaint: "jobctl: \(error)")
    case is CancellationError:
      self.init(status: .ended(by: .sigint))
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
