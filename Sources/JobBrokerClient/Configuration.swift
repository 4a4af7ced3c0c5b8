import JobProtocol

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

extension JobBrokerClient {
  /// Where the broker is, who this client says it is, and how patient it is.
  public struct Configuration: Sendable {
    /// The broker's socket.
    public var socketPath: String
    /// Program and version, for people: `jobctl/1.0.0`. At most 256 bytes.
    public var clientName: String
    /// The name under which this client's claims are shown. At most 256 bytes.
    public var workerName: String
    /// Asks the broker to refuse this client every change.
    public var isReadOnly: Bool
    /// Whether a lost connection is made again. When false, the first loss ends every call.
    public var reconnects: Bool
    /// How long to wait between tries.
    public var backoff: Backoff
    /// How long a call may go unanswered, on top of the time its claim asked to wait; nil: for ever.
    public var requestTimeout: Duration?
    /// How long a caller who is about to end waits for a reply. What was sent is carried out all the same, and the jobs
    /// of a claim that the broker has not answered when the client is closed go back at once.
    package var lastPatience: Duration = .seconds(2)

    /// A configuration; with no argument, that of this host's broker.
    ///
    /// - Parameters:
    ///   - socketPath: `$JOBBROKER_SOCKET`, else the usual place for this user.
    ///   - workerName: the program's name and process id.
    public init(
      socketPath: String = defaultSocketPath, clientName: String = programName,
      workerName: String = "\(programName)-\(getpid())", isReadOnly: Bool = false, reconnects: Bool = true,
      backoff: Backoff = Backoff(), requestTimeout: Duration? = .seconds(30)
    ) {
      self.socketPath = socketPath
      self.clientName = clientName
      self.workerName = workerName
      self.isReadOnly = isReadOnly
      self.reconnects = reconnects
      self.backoff = backoff
      self.requestTimeout = requestTimeout
    }

    /// Where this user's broker is: `$JOBBROKER_SOCKET`, else the usual place.
    public static var defaultSocketPath: String {
      var environment: [String: String] = [:]
      for name in ["JOBBROKER_SOCKET", "XDG_RUNTIME_DIR"] {
        environment[name] = getenv(name).map { String(cString: $0) }
      }
      return DefaultPath.socket(environment: environment, uid: getuid())
    }

    /// The last part of the path this program was started by.
    public static var programName: String {
      String(CommandLine.arguments.first?.split(separator: "/").last ?? "client")
    }
  }
}
