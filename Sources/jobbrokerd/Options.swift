import ArgumentParser
import Glibc
import Logging
import SQLiteJobStore

extension Logger.Level: @retroactive ExpressibleByArgument {}

/// `--durability`.
enum DurabilityOption: String, ExpressibleByArgument, CaseIterable {
  case full, relaxed

  var value: Durability {
    switch self {
    case .full: .full
    case .relaxed: .relaxed
    }
  }
}

/// `--socket-mode`: permissions as chmod(1) takes them, at most 0777.
struct OctalMode: ExpressibleByArgument {
  let value: UInt32

  init(_ value: UInt32) { self.value = value }

  init?(argument: String) {
    guard let value = UInt32(argument, radix: 8), value <= 0o777 else { return nil }
    self.init(value)
  }

  var defaultValueDescription: String { "0" + String(value, radix: 8) }
}

/// `--allow-uid` and the like: a name that the user database has, or a number that it need not have. Asked once, at
/// the start, while there is one thread.
enum Identity {
  static func user(_ argument: String) throws -> UInt32 {
    if let id = UInt32(argument) ?? getpwnam(argument)?.pointee.pw_uid { return id }
    throw ValidationError("There is no user \(argument).")
  }

  static func group(_ argument: String) throws -> UInt32 {
    if let id = UInt32(argument) ?? getgrnam(argument)?.pointee.gr_gid { return id }
    throw ValidationError("There is no group \(argument).")
  }
}
