import Foundation
import JobBrokerClient
import TestSupport

/// A place for a broker in the sandbox of packaging/systemd/jobbroker.service, put up by scripts/confined.py, for
/// systemd runs on no machine that tests run on.
struct Sandbox {
  /// A user that need not exist.
  static let user: UInt32 = 23_470
  private static let repository = URL(filePath: #filePath).appending(path: "../../../..").standardized
  static let units = repository.appending(path: "packaging/systemd")

  /// Whether it can be put up here, with all that is needed for that.
  static let isAvailable: Bool = {
    guard geteuid() == 0, let sandbox = try? Sandbox() else { return false }
    return (try? Finished.exitCode(of: sandbox.wrapper + ["/bin/true"])) == 0
  }()

  /// What is seen, read-only, as /run/jobbroker; `state` in it is /var/lib/jobbroker.
  let directory: TemporaryDirectory
  private let dropIns: [String]

  /// - Parameter dropIns: Files whose settings are added to the unit's.
  init(dropIns: [String] = []) throws {
    self.dropIns = dropIns
    directory = TemporaryDirectory()
    let state = directory.file("state")
    guard chmod(directory.path, 0o711) == 0, mkdir(state, 0o700) == 0,
      chown(state, Self.user, Self.user) == 0
    else { throw POSIXError(.EPERM) }
  }

  /// Ends with executing what it is given.
  var wrapper: [String] {
    [Self.repository.appending(path: "scripts/confined.py").path]
      + [Self.units.appending(path: "jobbroker.service").path] + dropIns
      + ["--state", directory.file("state"), "--sockets", directory.path, "--user", "\(Self.user)", "--"]
  }

  /// Starts the broker as the unit does: with the socket that systemd listens on, and nothing on its command line.
  func start(listener: FileHandle) async throws -> BrokerProcess {
    let command = ServiceManager.passingInput + wrapper + [Products.jobbrokerd]
    let process = try ChildProcess(
      command[0], Array(command.dropFirst()),
      environment: ["NOTIFY_SOCKET": "/run/jobbroker/notify", "WATCHDOG_USEC": "30000000"], input: listener)
    _ = try await process.line(beginning: "ready socket=")
    return BrokerProcess(process: process, directory: directory)
  }

  /// What the kernel says of a process that should be in the sandbox, and what is missing.
  static func gaps(around pid: UInt32) throws -> [String] {
    let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
    let lines = Set(status.split(separator: "\n"))
    let none = String(repeating: "0", count: 16)
    let uids = repeatElement("\(user)", count: 4).joined(separator: "\t")
    var wanted = ["Uid:\t\(uids)", "Gid:\t\(uids)", "NoNewPrivs:\t1", "Seccomp:\t2", "Seccomp_filters:\t2"]
    wanted += ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map { "\($0):\t\(none)" }
    var gaps = wanted.filter { !lines.contains(Substring($0)) }
    for namespace in ["net", "mnt", "uts"] {
      let theirs = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/ns/\(namespace)")
      let ours = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/ns/\(namespace)")
      if theirs == ours { gaps.append("no \(namespace) namespace of its own") }
    }
    return gaps
  }
}
