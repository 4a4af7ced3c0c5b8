import CSystem
import Glibc

/// What this machine costs whoever runs on it: to judge how quiet it was.
struct Machine {
  let cores = sysconf(Int32(_SC_NPROCESSORS_ONLN))
  /// Median of writing 4 KiB and making them durable, in nanoseconds.
  let durableWrite: UInt64
  /// Median of waking another thread and being woken by it, in nanoseconds.
  let threadRoundTrip: UInt64
  private let start = ProcessTimes.machine
  private let ownAtStart = ProcessTimes.own + ProcessTimes.endedChildren

  /// - Parameter folder: where the stores will be.
  init(folder: String) throws {
    durableWrite = try Machine.durableWrite(in: folder)
    threadRoundTrip = Machine.threadRoundTrip()
  }

  /// What others had of the machine since this was made, in percent of all CPU time.
  ///
  /// What this program started counts once it has ended.
  var others: (processes: Double, host: Double) {
    let now = ProcessTimes.machine
    let total = Double(max(now.total - start.total, 1))
    let ours = ProcessTimes.own + ProcessTimes.endedChildren - ownAtStart
    return (
      100 * max(Double(now.busy - start.busy) - Double(ours), 0) / total,
      100 * Double(now.stolen - start.stolen) / total
    )
  }

  private static func durableWrite(in folder: String) throws -> UInt64 {
    let path = "\(folder)/sync"
    let file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw Failure.system(path) }
    defer {
      close(file)
      unlink(path)
    }
    let page = [UInt8](repeating: 1, count: 4096)
    let pages = 300
    // The file has its blocks before, as a write-ahead log that is reused.
    for index in 0..<pages { pwrite(file, page, page.count, index * page.count) }
    fsync(file)
    var times: [UInt64] = []
    for index in 0..<pages {
      let before = Clock.now
      pwrite(file, page, page.count, index * page.count)
      guard fdatasync(file) == 0 else { throw Failure.system(path) }
      times.append(Clock.now - before)
    }
    return Latencies(times).median
  }

  private static func threadRoundTrip() -> UInt64 {
    let (there, back) = (eventfd(0, 0), eventfd(0, 0))
    defer {
      close(there)
      close(back)
    }
    let rounds = 2000
    let thread = Thread {
      var value: UInt64 = 0
      for _ in 0..<rounds {
        read(there, &value, 8)
        write(back, &value, 8)
      }
    }
    var times: [UInt64] = []
    var value: UInt64 = 1
    for _ in 0..<rounds {
      let before = Clock.now
      write(there, &value, 8)
      read(back, &value, 8)
      times.append(Clock.now - before)
    }
    thread.join()
    return Latencies(times).median
  }
}

/// A thread that runs one closure.
private struct Thread {
  private var id = pthread_t()

  private final class Box {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }

  init(_ body: @escaping @Sendable () -> Void) {
    let box = Unmanaged.passRetained(Box(body)).toOpaque()
    let error = pthread_create(
      &id, nil,
      { box in
        box.map { Unmanaged<Box>.fromOpaque($0).takeRetainedValue().body() }
        return nil
      }, box)
    precondition(error == 0, "no thread: \(error)")
  }

  func join() { pthread_join(id, nil) }
}
