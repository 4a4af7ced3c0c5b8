import ArgumentParser
import BrokerServer
import JobModel
import JobProtocol
import JobStore
import Logging
import ServiceLifecycle
import UnixSignals

/// The process: reads its options, opens the store, binds the socket and serves until it is told to stop.
@main
struct Daemon: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "jobbrokerd",
    abstract: "Owns one job store and serves it over a Unix domain socket.",
    discussion: """
      Without options it serves $JOBBROKER_SOCKET from a local database. When it answers, it prints a line: \
      ready socket=PATH.

      USUAL PLACES
        socket    root: /run/jobbroker/jobbroker.sock; others:
                  $XDG_RUNTIME_DIR/jobbroker/jobbroker.sock, else
                  /tmp/jobbroker-UID/jobbroker.sock
        database  root: /var/lib/jobbroker/jobs.db; others:
                  $XDG_STATE_HOME/jobbroker/jobs.db, else
                  ~/.local/state/jobbroker/jobs.db

      EXAMPLES
        jobbrokerd
        jobbrokerd --socket /tmp/try/broker.sock --db /tmp/try/jobs.db
        jobbrokerd --socket-mode 0660 --allow-gid audio --operator-gid sudo

      ENVIRONMENT
        JOBBROKER_SOCKET     the socket, as --socket
        JOB_STORE_BACKEND    local (or sqlite), the default; or turso (or libsql)
        JOB_STORE_DB_PATH    the database of the local store, as --db
        TURSO_DATABASE_URL   the libSQL database: libsql://, https:// or http://
        TURSO_AUTH_TOKEN     its token, if it asks for one
        TURSO_CA_FILE        certificates (PEM) to trust instead of the system's

      SIGTERM, SIGINT and SIGHUP (unless it is ignored, as by nohup) shut it down: what is under way is answered, and \
      claims stay in force for the next start. Exit codes: 0 shut down, 1 could not start or the store failed, 2 usage.
      """,
    version: "jobbrokerd \(jobBrokerVersion)")

  @Option(help: ArgumentHelp("Where to listen.", valueName: "path"), completion: .file())
  var socket: String?

  @Option(help: ArgumentHelp("The database file of the local store.", valueName: "path"), completion: .file())
  var db: String?

  @Option(
    help: """
      When a change counts as made in the local store: full (it survives a power cut) or relaxed (it survives a crash of \
      the broker). (default: full)
      """)
  var durability: DurabilityOption?

  @Option(help: ArgumentHelp("Permissions of the socket, octal.", valueName: "mode"))
  var socketMode: OctalMode = OctalMode(0o600)

  @Option(
    help: ArgumentHelp(
      "A user that may connect, by name or number (repeatable). Without any --allow, the socket's mode decides.",
      valueName: "user"), transform: Identity.user)
  var allowUid: [UInt32] = []

  @Option(
    help: ArgumentHelp("A group whose members may connect (repeatable).", valueName: "group"),
    transform: Identity.group)
  var allowGid: [UInt32] = []

  @Option(
    help: ArgumentHelp(
      "A group whose members may pause, resume, prune, back up, reap and delete (repeatable).",
      valueName: "group"), transform: Identity.group)
  var operatorGid: [UInt32] = []

  @Option(help: ArgumentHelp("Connections in all.", valueName: "count"))
  var maxConnections = ServerConfiguration().maxConnections

  @Option(help: ArgumentHelp("Connections of one user.", valueName: "count"))
  var maxConnectionsPerUser = ServerConfiguration().maxConnectionsPerUser

  @Option(
    help: ArgumentHelp(
      "How long a client may take over its first request, and over each frame it has begun.",
      valueName: "seconds"))
  var frameTimeout = ServerConfiguration().frameTimeout / .seconds(1)

  @Option(help: "How much to log, to stderr: trace, debug, info, notice, warning, error or critical.")
  var logLevel: Logger.Level = .notice

  static func main() async {
    do {
      var command = try parseAsRoot()
      if let daemon = command as? Daemon { try await daemon.run() } else { try command.run() }
    } catch {
      guard exitCode(for: error) == .validationFailure else { exit(withError: error) }
      StandardError.line(fullMessage(for: error))
      // The parser's own code is 64, that of sysexits.h; here it is 2, as with jobctl and most programs.
      exit(withError: ExitCode(2))
    }
  }

  func validate() throws {
    guard socket != "", db != "" else { throw ValidationError("--socket and --db must not be empty.") }
    guard maxConnections > 0, maxConnectionsPerUser > 0 else {
      throw ValidationError("--max-connections and --max-connections-per-user must be 1 or more.")
    }
    guard frameTimeout >= 0.001, frameTimeout <= 86_400 else {
      throw ValidationError("--frame-timeout must be between 0.001 and 86400 seconds.")
    }
  }

  func run() async throws {
    var logger = Logger(label: "jobbrokerd") { StreamLogHandler.standardError(label: $0) }
    logger.logLevel = logLevel
    do {
      try await serve(logger: logger)
    } catch let error as JobError {
      logger.critical("\(error.message)")
      throw ExitCode.failure
    }
  }

  private func serve(logger: Logger) async throws {
    let environment = SystemEnvironment.variables
    let path = socket ?? DefaultPath.socket(environment: environment, uid: currentUser())
    let isUsualPath = socket == nil && environment["JOBBROKER_SOCKET"]?.isEmpty ?? true
    let socket =
      try SocketBinder.fromServiceManager(environment: environment)
      ?? SocketBinder.bind(path: path, mode: socketMode.value, inOwnDirectory: isUsualPath)
    let loop = BrokerLoop()
    let store: any JobStore
    do {
      store = try await makeJobStore(
        environment: environment, databasePath: db, durability: durability?.value, on: loop, logger: logger)
    } catch {
      socket.remove()
      throw error
    }
    let service = BrokerService(
      store: store, loop: loop, socket: socket, configuration: serverConfiguration,
      notifier: ServiceNotifier(environment: environment), logger: logger
    ) {
      StandardOutput.line("ready socket=\(socket.path)")
      logger.info("serving \(socket.path) from \(store.name)")
    }
    try await ServiceGroup(
      configuration: .init(
        services: [.init(service: service, successTerminationBehavior: .gracefullyShutdownGroup)],
        gracefulShutdownSignals: [.sigterm, .sigint] + (Hangup.isIgnored ? [] : [.sighup]), logger: logger)
    ).run()
  }

  private var serverConfiguration: ServerConfiguration {
    var configuration = ServerConfiguration()
    configuration.core.server = "jobbrokerd/\(jobBrokerVersion)"
    configuration.access.allowedUsers = Set(allowUid)
    configuration.access.allowedGroups = Set(allowGid)
    configuration.access.operatorGroups = Set(operatorGid)
    configuration.maxConnections = maxConnections
    configuration.maxConnectionsPerUser = maxConnectionsPerUser
    configuration.frameTimeout = .seconds(frameTimeout)
    return configuration
  }
}
