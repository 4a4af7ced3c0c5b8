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

  private func ownDirectory() throws -> String {
    let path = NSTemporaryDirectory() + "jobbroker-binder-\(JobID.timeOrdered())"
    try FileManager.default.createDirectory(
      atPath: path, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
    return path
  }
}
