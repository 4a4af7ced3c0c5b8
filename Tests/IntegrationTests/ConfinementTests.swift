import Foundation
import JobBrokerClient
import LibSQLTestSupport
import TestSupport
import Testing
import TrustSupport

/// The units of packaging/systemd: what they keep the broker from, and that it works all the same.
@Suite(.timeLimit(.minutes(10))) struct ConfinementTests {
  static let sandbox: Comment = "needs root, and what scripts/setup.sh test installs"

  /// `JOBBROKER_CONFINEMENT_ROUNDS` starts, each with jobs, a backup, and an end by SIGTERM or SIGKILL.
  @Test(.enabled(if: Sandbox.isAvailable, sandbox))
  func theBrokerDoesAllItsWorkInTheSandboxOfItsUnit() async throws {
    let rounds = CampaignSize.number("JOBBROKER_CONFINEMENT_ROUNDS", short: 4)
    let sandbox = try Sandbox()
    let manager = try NotifySocket(at: sandbox.directory.file("notify"))
    try #require(chmod(sandbox.directory.file("notify"), 0o666) == 0)
    let listener = try ServiceManager.listen(at: sandbox.directory.file("broker.sock"))
    var (completed, violations) = (0, 0)
    for round in 1...rounds {
      let broker = try await sandbox.start(listener: listener)
      var message = await manager.receive()
      while message == "WATCHDOG=1" { message = await manager.receive() }
      #expect(message == "READY=1\nSTATUS=Serving \(sandbox.directory.file("broker.sock"))")
      let client = try await broker.client(reconnects: false)
      let pid = try await client.stats().pid
      let gaps = try Sandbox.gaps(around: pid)
      #expect(gaps.isEmpty)

      let type = "round \(round)"
      let made = try await client.create((0..<20).map { NewJob(type: type, metadata: #"{"n":\#($0)}"#) })
      let claimed = try await client.claim(ClaimRequest(types: [type], maxJobs: 20))
      #expect(claimed.map(\.id) == made.map(\.job.id))
      for job in claimed.dropLast() {
        try await client.complete(job.id, result: "{}", attempt: job.attempt)
        completed += 1
      }
      let copy = "backup-\(round).db"
      try await client.backup(to: "/var/lib/jobbroker/\(copy)")
      #expect(FileManager.default.fileExists(atPath: sandbox.directory.file("state/" + copy)))
      for elsewhere in ["/etc", "/run/jobbroker", "/usr"] {
        await expect(.invalidArgument) { try await client.backup(to: "\(elsewhere)/\(copy)") }
      }

      let isKilled = round.isMultiple(of: 2)
      kill(pid_t(pid), isKilled ? SIGKILL : SIGTERM)
      // What bubblewrap ends with; a system call that the unit does not list would make it 128 + SIGSYS.
      let code = await broker.process.waitForExit()
      let errors = await broker.process.allErrors()
      #expect(code == (isKilled ? 128 + SIGKILL : 0), "\(errors)")
      violations += gaps.count + (code == 128 + SIGSYS ? 1 : 0)
      _ = manager.pending()
    }
    let broker = try await sandbox.start(listener: listener)
    let client = try await broker.client(reconnects: false)
    let counts = try await client.stats().types.map(\.counts)
    #expect(counts.map { $0[.complete] ?? 0 }.reduce(0, +) == completed)
    #expect(counts.flatMap(\.values).reduce(0, +) == 20 * rounds)
    kill(pid_t(try await client.stats().pid), SIGTERM)
    #expect(await broker.process.waitForExit() == 0)
    CampaignOutcome(
      promise: "the broker needs nothing that its unit forbids",
      done: "jobs, backups, restarts in the unit's sandbox; a call it does not list kills",
      count: "\(rounds + 1) starts, \(completed) lifecycles", violations: violations
    ).report()
  }

  @Test(.enabled(if: Sandbox.isAvailable, sandbox))
  func theDropInForLibSQLOpensTheNetworkAndNothingElse() async throws {
    let server = try await SQLServer.start()
    let files = TemporaryDirectory()
    try #require(chmod(files.path, 0o755) == 0)
    let text = try String(contentsOf: Sandbox.units.appending(path: "libsql.conf"), encoding: .utf8)
    let url = "TURSO_DATABASE_URL=http://127.0.0.1:\(server.port)"
    let changed = text.replacing("TURSO_DATABASE_URL=https://jobs.example.org", with: url)
    try #require(changed != text)
    try changed.write(toFile: files.file("libsql.conf"), atomically: true, encoding: .utf8)
    let sandbox = try Sandbox(dropIns: [files.file("libsql.conf")])
    let listener = try ServiceManager.listen(at: sandbox.directory.file("broker.sock"))
    let broker = try await sandbox.start(listener: listener)
    let client = try await broker.client(reconnects: false)
    let pid = try await client.stats().pid
    #expect(try Sandbox.gaps(around: pid) == ["no net namespace of its own"])
    let job = try await client.create(NewJob(type: "t")).job
    let claimed = try await client.claim(ClaimRequest()).first
    #expect(claimed?.id == job.id)
    try await client.complete(job.id, result: "{}", attempt: claimed?.attempt)
    kill(pid_t(pid), SIGTERM)
    #expect(await broker.process.waitForExit() == 0)
  }

  /// What a process in the sandbox may do of what it tries.
  @Test(.enabled(if: Sandbox.isAvailable, sandbox))
  func whatTheUnitForbidsIsForbidden() async throws {
    let sandbox = try Sandbox()
    let program = """
      import ctypes, mmap, os, signal, socket
      libc = ctypes.CDLL(None)
      def may(name, attempt):
        try:
          if attempt() != -1: print(name)
        except OSError: pass
      for place in ("/", "/etc", "/usr", "/var", "/var/lib", "/run", "/run/jobbroker", "/home", "/root"):
        may("write " + place, lambda: open(place + "/probe", "x").close())
      may("write the state directory", lambda: open("/var/lib/jobbroker/probe", "x").close())
      may("write /tmp", lambda: open("/tmp/probe", "x").close())
      may("see the /tmp of others", lambda: os.stat("\(sandbox.directory.path)"))
      may("see its sockets", lambda: os.stat("/run/jobbroker"))
      for family in ("AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK", "AF_PACKET"):
        may("use " + family, lambda: socket.socket(getattr(socket, family), socket.SOCK_DGRAM).close())
      may("map memory to write", lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_WRITE).close())
      may("map memory to write and execute", lambda: mmap.mmap(-1, 4096, prot=7).close())
      may("set modes", lambda: os.chmod("/var/lib/jobbroker/probe", 0o600))
      may("set the setuid bit", lambda: os.chmod("/var/lib/jobbroker/probe", 0o4755))
      may("make a user namespace", lambda: libc.unshare(0x10000000))
      may("become another personality", lambda: libc.personality(0x0400000))
      """
    let run = try await Finished.running(sandbox.wrapper + ["/usr/bin/python3", "-c", program])
    let allowed = [
      "write the state directory", "write /tmp", "see its sockets", "use AF_UNIX", "map memory to write",
      "set modes",
    ]
    #expect(run.output.split(separator: "\n").map(String.init) == allowed, "\(run)")
    #expect(!FileManager.default.fileExists(atPath: "/tmp/probe"))
    let mount = try await Finished.running(sandbox.wrapper + ["/bin/mount", "-t", "tmpfs", "none", "/tmp"])
    #expect(mount.code == 128 + SIGSYS, "a call that is not listed: \(mount)")
  }

  /// What systemd itself says of the units; `most` is what this project allows itself at most, of 10.
  @Test(
    .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/systemd-analyze"), sandbox),
    arguments: [false, true])
  func systemdFindsTheUnitsSoundAndSafe(withLibSQL: Bool) async throws {
    let most = 2.0
    let root = TemporaryDirectory()
    let (units, dropIns) = ("usr/lib/systemd/system", "etc/systemd/system/jobbroker.service.d")
    for directory in [units, dropIns, "usr/bin"] {
      try FileManager.default.createDirectory(atPath: root.file(directory), withIntermediateDirectories: true)
    }
    func copy(_ unit: String, _ directory: String) throws {
      let from = Sandbox.units.appending(path: unit).path
      try FileManager.default.copyItem(atPath: from, toPath: root.file("\(directory)/\(unit)"))
    }
    try copy("jobbroker.service", units)
    try copy("jobbroker.socket", units)
    if withLibSQL { try copy("libsql.conf", dropIns) }
    try FileManager.default.copyItem(atPath: Products.jobctl, toPath: root.file("usr/bin/jobbrokerd"))
    let analyze = ["/usr/bin/systemd-analyze", "--no-pager", "--root=\(root.path)"]
    for unit in ["jobbroker.service", "jobbroker.socket"] {
      let run = try await Finished.running(analyze + ["--recursive-errors=no", "verify", unit])
      #expect(run.code == 0 && run.errors.isEmpty, "\(run)")
    }
    let run = try await Finished.running(analyze + ["--offline=true", "security", "jobbroker.service"])
    let exposure = run.output.firstMatch(of: #/exposure level for jobbroker\.service: ([0-9.]+)/#)
    let level = try #require(exposure.flatMap { Double($0.output.1) }, "\(run)")
    #expect(level <= most)
    CampaignOutcome(
      promise: "the unit's exposure is at most \(most)",
      done: "systemd-analyze verify, security --offline" + (withLibSQL ? ", with libsql.conf" : ""),
      count: "exposure \(level)", violations: level <= most ? 0 : 1
    ).report()
  }
}
