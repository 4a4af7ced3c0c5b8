import Glibc

/// What the kernel says about the CPU time of processes and of the machine.
enum ProcessTimes {
  private static let microsecondsPerTick = 1_000_000 / UInt64(max(sysconf(Int32(_SC_CLK_TCK)), 1))

  /// Of a process, its children and theirs, in microseconds: what runs, and what its ended children used.
  static func ofTree(_ root: pid_t) -> UInt64 {
    var children: [pid_t: [pid_t]] = [:]
    var ticks: [pid_t: UInt64] = [:]
    for pid in processes() {
      guard let fields = fields(of: pid) else { continue }
      // After the name: state, ppid, …; utime, stime, cutime and cstime are fields 14 to 17 of the whole line.
      children[pid_t(fields[1]) ?? 0, default: []].append(pid)
      ticks[pid] = fields[11...14].reduce(0) { $0 + (UInt64($1) ?? 0) }
    }
    var sum: UInt64 = 0
    var open = [root]
    while let pid = open.popLast() {
      sum += ticks[pid] ?? 0
      open += children[pid] ?? []
    }
    return sum * microsecondsPerTick
  }

  /// Of this process, in microseconds.
  static var own: UInt64 { usage(RUSAGE_SELF) }

  /// Of the processes that this one started and that have ended, and theirs, in microseconds.
  static var endedChildren: UInt64 { usage(RUSAGE_CHILDREN) }

  private static func usage(_ who: __rusage_who) -> UInt64 {
    var usage = rusage()
    getrusage(__rusage_who_t(who.rawValue), &usage)
    let seconds = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec
    return UInt64(seconds) * 1_000_000 + UInt64(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec)
  }

  /// Of all CPUs since the start of the machine, in microseconds.
  struct Machine {
    var total: UInt64
    /// Spent in processes and in the kernel.
    var busy: UInt64
    /// Taken by the host.
    var stolen: UInt64
  }

  static var machine: Machine {
    let line = TextFile.read("/proc/stat").split(separator: "\n").first ?? ""
    // user, nice, system, idle, iowait, irq, softirq, steal
    var ticks = line.split(separator: " ").dropFirst().prefix(8).map {
      (UInt64($0) ?? 0) * microsecondsPerTick
    }
    ticks += Array(repeating: 0, count: 8 - ticks.count)
    let total = ticks.reduce(0, +)
    return Machine(total: total, busy: total - ticks[3] - ticks[4] - ticks[7], stolen: ticks[7])
  }

  private static func processes() -> [pid_t] { Workspace.entries(of: "/proc").compactMap { pid_t($0) } }

  /// The fields of /proc/PID/stat that follow the name, which may hold anything; nil when the process is gone.
  private static func fields(of pid: pid_t) -> [Substring]? {
    let line = TextFile.read("/proc/\(pid)/stat")
    guard let end = line.lastIndex(of: ")") else { return nil }
    let fields = line[line.index(after: end)...].split(separator: " ")
    return fields.count > 14 ? fields : nil
  }
}

/// A small file of text.
enum TextFile {
  /// The file's text; empty if it can't be read.
  static func read(_ path: String) -> String {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return "" }
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: 16384)
    let count = Glibc.read(file, &bytes, bytes.count)
    return String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self)
  }
}
