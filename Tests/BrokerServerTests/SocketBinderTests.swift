import Foundation
import JobModel
import Testing

@testable import BrokerServer

/// Where a socket may be made.
@Suite struct SocketBinderTests {
  @Test(arguments: [0o770, 0o702, 0o1777])
  func aDirectoryInWhichOthersMayWriteIsNotOurOwn(mode: Int) throws {
    let directory = try ownDirectory()
    defer { try? FileManager.default.removeItem(atPath: directory) }
    try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: directory)
    let error = #expect(throws: JobError.self) {
      try SocketBinder.bind(path: directory + "/broker.sock", inOwnDirectory: true)
    }
    #expect(error?.code == .permissionDenied)
    try SocketBinder.bind(path: directory + "/broker.sock").remove()
  }

  @Test func aLinkToADirectoryIsNotOurOwn() throws {
    let directory = try ownDirectory()
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let link = directory + "/link"
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: directory)
    let error = #expect(throws: JobError.self) {
      try SocketBinder.bind(path: link + "/broker.sock", inOwnDirectory: true)
    }
    #expect(error?.code == .permissionDenied)
  }

  @Test func aDirectoryThatIsMadeIsOurOwn() throws {
    let directory = try ownDirectory()
    defer { try? FileManager.default.removeItem(atPath: directory) }
    try SocketBinder.bind(path: directory + "/new/broker.sock", inOwnDirectory: true).remove()
  }

  @Test func aLinkInTheLocksPlaceIsNotFollowed() throws {
    let directory = try ownDirectory()
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let target = directory + "/somebody's file"
    try FileManager.default.createSymbolicLink(
      atPath: directory + "/broker.sock.lock", withDestinationPath: target)
    #expect(throws: JobError.self) { try SocketBinder.bind(path: directory + "/broker.sock") }
    #expect(!FileManager.default.fileExists(atPath: target), "it was made by way of the link")
  }

  @Test func aLinkInTheSocketsPlaceIsReplacedNotFollowed() throws {
    let directory = try ownDirectory()
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let (target, path) = (directory + "/somebody's file", directory + "/broker.sock")
    try Data("his".utf8).write(to: URL(fileURLWithPath: target))
    try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: target)
    for link in [path, "\(path).\(getpid())"] {
      try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: target)
    }
    let socket = try SocketBinder.bind(path: path, mode: 0o666)
    let type = try FileManager.default.attributesOfItem(atPath: path)[.type] as? FileAttributeType
    #expect(type == .typeSocket)
    socket.remove()
    #expect(FileManager.default.contents(atPath: target) == Data("his".utf8))
    let mode = try FileManager.default.attributesOfItem(atPath: target)[.posixPermissions] as? Int
    #expect(mode == 0o640)
  }

  private func ownDirectory() throws -> String {
    let path = NSTemporaryDirectory() + "jobbroker-binder-\(JobID.timeOrdered())"
    try FileManager.default.createDirectory(
      atPath: path, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
    return path
  }
}
