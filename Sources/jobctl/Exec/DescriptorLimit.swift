import Glibc

/// How many files this process may have open.
enum DescriptorLimit {
  /// Raises it as far as it may be (RLIMIT_NOFILE, getrlimit(2)): a program that runs takes about six, and the usual limit
  /// of 1,024 would be too little for the most jobs at once. Programs inherit it.
  static func raise() {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }
}
