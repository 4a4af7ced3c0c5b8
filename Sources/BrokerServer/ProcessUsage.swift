import Glibc

/// What this process has used so far.
enum ProcessUsage {
  /// User and system time of all its threads (getrusage(2)).
  static var cpu: Duration {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    func duration(_ time: timeval) -> Duration { .seconds(time.tv_sec) + .microseconds(time.tv_usec) }
    return duration(usage.ru_utime) + duration(usage.ru_stime)
  }

  /// Its process id.
  static var processID: UInt32 { UInt32(bitPattern: getpid()) }

  /// Resident memory in bytes: the second figure of /proc/self/statm (proc(5)), in pages.
  static var residentBytes: Int {
    guard let file = fopen("/proc/self/statm", "r") else { return 0 }
    defer { fclose(file) }
    var text = [CChar](repeating: 0, count: 128)
    guard fgets(&text, CInt(text.count), file) != nil else { return 0 }
    let line = String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    let figures = line.split(separator: " ")
    return figures.count > 1 ? (Int(figures[1]) ?? 0) * sysconf(CInt(_SC_PAGESIZE)) : 0
  }

  /// Raises the limit of open descriptors to the hard limit and returns it (setrlimit(2)).
  static func raiseDescriptorLimit() -> Int {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    limit.rlim_cur = limit.rlim_max
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    return Int(clamping: limit.rlim_cur)
  }
}
