import CFaultVFS
import CSQLite
import Dispatch
import Synchronization

/// An SQLite VFS with a log of what changes files and names, which can fail. It really writes, but never syncs.
final class FaultVFS: Sendable {
  /// What SQLite knows it by.
  let name: String
  /// The functions that take it may be called from any thread.
  private nonisolated(unsafe) let handle: OpaquePointer

  private static let made = Atomic(0)

  init() {
    name = "fault-\(FaultVFS.made.add(1, ordering: .relaxed).newValue)"
    handle = fault_vfs_create(name)
  }

  deinit { fault_vfs_destroy(handle) }

  /// Entries in the log.
  var count: Int { fault_vfs_count(handle) }

  /// The log; its bytes are valid as long as this object.
  var log: [fault_vfs_entry] { (0..<count).map { fault_vfs_at(handle, $0) } }

  /// Syncs of files opened with one of these flags do nothing from now on, and say that they did.
  func ignoreSyncs(of flags: Int32) { fault_vfs_ignore_syncs(handle, flags) }

  /// Calls that have failed so far.
  var failures: Int { fault_vfs_failures(handle) }

  func begin(_ fault: Fault) {
    fault_vfs_fail(handle, fault.kind, fault.nth, fault.code, fault.isPersistent)
  }

  func end(_ fault: Fault) { fault_vfs_fail(handle, fault.kind, 0, 0, false) }

  /// From now on what a failed sync was to make durable can still be read.
  func keepUnsynced() { fault_vfs_keep_unsynced(handle) }

  /// Stops the next sync half-way, until `hold` is told to release it. `hold` must live until then or `endHold`.
  func begin(_ hold: HeldSync) {
    fault_vfs_hold_sync(
      handle, { Unmanaged<HeldSync>.fromOpaque($0!).takeUnretainedValue().stop() },
      Unmanaged.passUnretained(hold).toOpaque())
  }

  /// A sync that has not begun yet will not be stopped.
  func endHold() { fault_vfs_hold_sync(handle, nil, nil) }
}

/// Calls that fail.
struct Fault: CustomStringConvertible {
  var kind: fault_vfs_kind
  /// What SQLite's own VFS would return.
  var code: Int32
  /// The first that fails, counted from 1.
  var nth = 1
  /// Whether all after it fail too.
  var isPersistent: Bool

  var description: String {
    "call \(nth) of kind \(kind.rawValue)\(isPersistent ? " and all after it" : "") fails with SQLite \(code)"
  }
}

/// A sync that has begun and waits to be let go.
final class HeldSync: Sendable {
  private let events: AsyncStream<Void>
  private let continuation: AsyncStream<Void>.Continuation
  private let gate = DispatchSemaphore(value: 0)

  init() { (events, continuation) = AsyncStream.makeStream() }

  fileprivate func stop() {
    continuation.yield()
    gate.wait()
  }

  /// Waits until the sync has begun, or `giveUp` was called.
  func hasBegun() async { for await _ in events { return } }

  /// There was nothing to sync.
  func giveUp() { continuation.finish() }

  func release() { gate.signal() }
}
