import Foundation
import JobBrokerClient
import JobModel
import JobProtocol
import TestSupport
import Testing

@Suite struct SocketTests {
  private func mode(of path: String) throws -> Int {
    let attributes = try FileManager.default.attributesOfItem(atPath: path)
    return try #require(attributes[.posixPermissions] as? Int)
  }

  @Test func theSocketIsForItsOwnerAloneAndSoIsTheDirectoryMadeForIt() async throws {
    let directory = TemporaryDirectory()
    let path = directory.file("run/private/broker.sock")
    let process = try ChildProcess(
      Products.jobbrokerd, ["--socket", path, "--db", directory.file("jobs.db")])
    _ = try await process.line(beginning: "ready socket=\(path)")
    #expect(try mode(of: path) == 0o600)
    #expect(try mode(of: directory.file("run/private")) == 0o700)
    #expect(try mode(of: directory.file("jobs.db")) == 0o600)
    await process.stop()
  }

  @Test func theModeOfTheSocketCanBeChosen() async throws {
    let broker = try await BrokerProcess.start(["--socket-mode", "0660"])
    #expect(try mode(of: broker.socket) == 0o660)
    await broker.process.stop()
  }

  @Test func theSocketIsGoneAfterAShutdownAndReplacedAfterAKill() async throws {
    let directory = TemporaryDirectory()
    let first = try await BrokerProcess.start(in: directory)
    await first.process.stop(SIGKILL)
    #expect(FileManager.default.fileExists(atPath: first.socket), "a killed broker leaves its socket behind")
    let second = try await BrokerProcess.start(in: directory)
    try await second.client().ping()
    #expect(await second.process.stop() == 0)
    #expect(!FileManager.default.fileExists(atPath: second.socket))
  }

  @Test func aSecondBrokerIsRefusedAndTheFirstGoesOnServing() async throws {
    let broker = try await BrokerProcess.start()
    let client = try await broker.client(reconnects: false)
    let otherDatabase = ["--db", broker.directory.file("other.db")]
    let second = try BrokerProcess.spawn(in: broker.directory, otherDatabase)
    #expect(await second.waitForExit() == 1)
    #expect(await second.allErrors().contains("Another broker serves \(broker.socket)"))
    try await client.ping()
    try await broker.client().ping()
    await broker.process.stop()
  }

  @Test func twoBrokersDoNotShareADatabase() async throws {
    let broker = try await BrokerProcess.start()
    let elsewhere = ["--socket", broker.directory.file("other.sock")]
    let second = try BrokerProcess.spawn(in: broker.directory, elsewhere)
    #expect(await second.waitForExit() == 1)
    #expect(await second.allErrors().contains("jobs.db"))
    #expect(!FileManager.default.fileExists(atPath: broker.directory.file("other.sock")))
    await broker.process.stop()
  }

  /// A descriptor that is closed twice may be somebody else's the second time.
  @Test(.enabled(if: PreloadedLibrary.isAvailable, PreloadedLibrary.compiler))
  func aBrokerThatIsRefusedTheDatabaseClosesNothingTwice() async throws {
    let broker = try await BrokerProcess.start()
    let library = try await PreloadedLibrary(
      """
      #define _GNU_SOURCE
      #include <dlfcn.h>
      #include <stdio.h>
      int close(int fd) {
        int result = ((int (*)(int))dlsym(RTLD_NEXT, "close"))(fd);
        if (result != 0) dprintf(2, "closing %d failed\\n", fd);
        return result;
      }
      """, in: broker.directory)
    let elsewhere = ["--socket", broker.directory.file("other.sock")]
    let second = try BrokerProcess.spawn(in: broker.directory, elsewhere, environment: library.environment)
    #expect(await second.waitForExit() == 1)
    let errors = await second.allErrors()
    #expect(errors.contains("jobs.db-lock is locked"))
    #expect(!errors.contains("closing"), "\(errors)")
    await broker.process.stop()
  }

  @Test func aShutdownLeavesAnotherFileAtItsPathAlone() async throws {
    let broker = try await BrokerProcess.start()
    try FileManager.default.removeItem(atPath: broker.socket)
    try Data("mine".utf8).write(to: URL(fileURLWithPath: broker.socket))
    await broker.process.stop()
    #expect(FileManager.default.contents(atPath: broker.socket) == Data("mine".utf8))
  }

  @Test func aFileAtItsPathIsNotTakenForASocket() async throws {
    let directory = TemporaryDirectory()
    let path = directory.file("broker.sock")
    try Data("mine".utf8).write(to: URL(fileURLWithPath: path))
    let process = try BrokerProcess.spawn(in: directory)
    let ended = await #expect(throws: ChildProcess.Ended.self) {
      try await process.line(beginning: "ready socket=")
    }
    #expect(ended?.description.contains("\(path) is there and is no socket") == true)
    #expect(await process.stop() == 1)
    #expect(FileManager.default.contents(atPath: path) == Data("mine".utf8))
  }

  @Test func aPathTooLongForASocketIsRefusedInWords() async throws {
    let directory = TemporaryDirectory()
    let path = directory.file(String(repeating: "x", count: 120))
    let process = try ChildProcess(
      Products.jobbrokerd, ["--socket", path, "--db", directory.file("jobs.db")])
    #expect(await process.waitForExit() == 1)
    #expect(await process.allErrors().contains("too long"))
  }

  @Test(arguments: ["turso", "libsql"])
  func theLibSQLBackendNamesTheVariableItMisses(backend: String) async throws {
    let directory = TemporaryDirectory()
    let process = try ChildProcess(
      Products.jobbrokerd, ["--socket", directory.file("broker.sock")],
      environment: ["JOB_STORE_BACKEND": backend], in: directory)
    #expect(await process.waitForExit() == 1)
    #expect(await process.allErrors().contains("needs TURSO_DATABASE_URL"))
  }

  @Test(arguments: ["--db", "--durability"])
  func theLibSQLBackendRefusesTheOptionsOfTheOther(option: String) async throws {
    let directory = TemporaryDirectory()
    let process = try ChildProcess(
      Products.jobbrokerd, ["--socket", directory.file("broker.sock"), option, "full"],
      environment: ["JOB_STORE_BACKEND": "turso", "TURSO_DATABASE_URL": "http://127.0.0.1:1"], in: directory)
    #expect(await process.waitForExit() == 1)
    #expect(await process.allErrors().contains("\(option) is for the local store"))
  }

  @Test(arguments: ["--db", "--socket"]) func anEmptyPathIsRefused(option: String) async throws {
    let process = try ChildProcess(Products.jobbrokerd, [option, ""])
    #expect(await process.waitForExit() == 2)
  }

  @Test(
    .enabled(if: geteuid() == 0, "starting processes of other users needs root"),
    arguments: [true, false])
  func theUsualDatabaseIsInAStateDirectoryThatIsAbsolute(isAbsolute: Bool) async throws {
    let directory = TemporaryDirectory()
    try #require(chown(directory.path, 23456, 34568) == 0)
    let state = isAbsolute ? directory.file("state") : "state"
    let process = try ChildProcess(
      "/usr/bin/setpriv",
      [
        "--reuid=23456", "--regid=34568", "--clear-groups", "/bin/sh", "-c", #"cd "$HOME"; exec "$0" "$@""#,
        Products.jobbrokerd, "--socket", directory.file("broker.sock"),
      ], environment: ["HOME": directory.path, "XDG_STATE_HOME": state], in: directory)
    _ = try await process.line(beginning: "ready socket=")
    let place = isAbsolute ? "state" : ".local/state"
    #expect(FileManager.default.fileExists(atPath: directory.file("\(place)/jobbroker/jobs.db")))
    await process.stop()
  }

  @Test func theDatabaseCanBeNamedByTheEnvironment() async throws {
    let directory = TemporaryDirectory()
    let environment = ["JOB_STORE_DB_PATH": directory.file("named.db"), "JOB_STORE_BACKEND": "sqlite"]
    let process = try ChildProcess(
      Products.jobbrokerd, ["--socket", directory.file("broker.sock")], environment: environment)
    _ = try await process.line(beginning: "ready socket=")
    #expect(FileManager.default.fileExists(atPath: directory.file("named.db")))
    await process.stop()
  }
}
