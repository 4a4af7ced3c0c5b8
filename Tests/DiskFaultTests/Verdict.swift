import JobModel
import TestSupport

@testable import SQLiteJobStore

/// What is wrong with a database after a restart.
enum Violation: CustomStringConvertible {
  /// The store does not open it.
  case refused(String)
  /// SQLite's check found something.
  case damaged(String)
  /// An acknowledged job is not there.
  case lostCreate(String)
  /// A job is there, but not the end of it that was acknowledged.
  case lostFinish(String)
  /// Something is there that nobody asked for, or half of a transaction.
  case invented(String)

  var description: String {
    switch self {
    case .refused(let error): "the store refuses it: \(error)"
    case .damaged(let what): "integrity_check: \(what)"
    case .lostCreate(let id): "an acknowledged create is lost: \(id)"
    case .lostFinish(let id): "an acknowledged finish is lost: \(id)"
    case .invented(let what): "not a state that there was: \(what)"
    }
  }
}

/// Opens a database with the real store, as a broker would after a restart, and looks at what is there.
enum Restart {
  struct Found {
    let state: StoreState
    let integrity: String
  }

  static func found(in directory: TemporaryDirectory) async throws -> Found {
    let vfs = FaultVFS()
    defer { withExtendedLifetime(vfs) {} }
    let store = try await SQLiteJobStore.open(.tested(directory.database, vfs: vfs))
    let found: Found
    do {
      let reader = try StateReader(directory.database)
      found = Found(state: try reader.state(), integrity: try reader.integrity())
    }
    await store.close()
    return found
  }

  /// - Parameter allowed: the states of which the database must show one; it is not empty.
  static func judge(_ directory: TemporaryDirectory, allowed: ArraySlice<StoreState>) async -> Violation? {
    let found: Found
    do { found = try await Restart.found(in: directory) } catch { return .refused("\(error)") }
    if found.integrity != "ok" { return .damaged(found.integrity) }
    return allowed.contains(found.state) ? nil : difference(found.state, allowed)
  }

  /// Why a state is none of those allowed. What all of them have was acknowledged.
  private static func difference(_ state: StoreState, _ allowed: ArraySlice<StoreState>) -> Violation {
    for (id, row) in allowed[allowed.startIndex].jobs {
      let statuses = allowed.map { $0.jobs[id]?.status }
      guard let found = state.jobs[id] else {
        if statuses.allSatisfy({ $0 != nil }) { return .lostCreate(id) }
        continue
      }
      if row.status.isFinished, statuses.allSatisfy({ $0 == row.status }), found.status != row.status {
        return .lostFinish(id)
      }
    }
    for (id, row) in state.jobs where !allowed.contains(where: { $0.jobs[id] == row }) {
      return .invented("job \(id) is \(row.text)")
    }
    return .invented("\(state.jobs.count) jobs, \(state.rest)")
  }
}
