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

  @Test func aLinkInTheTemporarySocketsPlaceIsReplacedNotFollowed() throws {
    let directory = try ownDirectory()
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let (target, path) = (directory + "/somebody's file", directory + "/broker.sock")
    try Data("his".utf8).write(to: URL(fileURLWithPath: target))
    try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: target)
    try FileManager.default.createSymbolicLink(
      atPath: "\(path).\(getpid())", withDestinationPath: target)
    let socket = try SocketBinder.bind(path: path, mode: 0o666)
    #expect(try type(of: path) == .typeSocket)
    socket.remove()
    #expect(FileManager.default.contents(atPath: target) == Data("his".utf8))
    let mode = try FileManager.default.attributesOfItem(atPath: target)[.posixPermissions] as? Int
    #expect(mode == 0o640)
  }

  @Test func whatIsNoSocketIsLeftAloneAndNamed() throws {
    let directory = try ownDirectory()
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let (file, link, folder) = (directory + "/file", directory + "/link", directory + "/folder")
    try Data("his".utf8).write(to: URL(fileURLWithPath: file))
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: file)
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    for path in [file, link, folder] {
      let error = #expect(throws: JobError.self) { try SocketBinder.bind(path: path) }
      #expect(error?.code == .invalidArgument)
      #expect(error?.message.hasPrefix("\(path) is there and is no socket.") == true)
    }
    #expect(FileManager.default.contents(atPath: file) == Data("his".utf8))
    #expect(try [file, link, folder].map(type) == [.typeRegular, .typeSymbolicLink, .typeDirectory])
    let left = try FileManager.default.contentsOfDirectory(atPath: directory)
    #expect(Set(left) == ["file", "link", "folder"], "nothing else is made")
  }

  /// What is at a path, itself and not what a link leads to.
  private func type(of path: String) throws -> FileAttributeType? {
    try FileManager.default.attributesOfItem(atPath: path)[.type] as? FileAttributeType
  }

  private func ownDirectory() throws -> String {
    let path = NSTemporaryDirectory() + "jobbroker-binder-\(JobID.timeOrdered())"
    try FileManager.default.createDirectory(
      atPath: path, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
    return path
  }
}
