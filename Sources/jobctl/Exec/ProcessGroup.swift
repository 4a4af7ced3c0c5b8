import Glibc

/// A program and everything it started, as far as that did not leave the group (setpgid(2), setsid(2)).
struct ProcessGroup: Hashable, Sendable {
  let id: pid_t

  /// Sends a signal to all of the group; a group that is gone needs none.
  func signal(_ signal: Int32) {
    _ = kill(-id, signal)
  }

  /// Ends what is left of the group once its leader is dead: SIGTERM, SIGKILL after the grace. Returns when no
  /// process of it runs any more.
  ///
  /// Only a parent is told of a death, and these are the children of a dead process. So this looks again, at
  /// growing intervals; nearly always the first look finds nobody.
  ///
  /// - Parameter isTerminated: whether the group had its SIGTERM already, `grace` being what is left of the time.
  func end(grace: Duration, isTerminated: Bool) async {
    guard isRunning else { return }
    if !isTerminated { signal(SIGTERM) }
    let deadline = ContinuousClock.now + grace
    var interval = Duration.milliseconds(5)
    while isRunning {
      if ContinuousClock.now >= deadline { signal(SIGKILL) }
      try? await Task.sleep(for: interval)
      interval = min(interval * 2, .milliseconds(100))
    }
  }

  /// Whether a process of the group runs. The dead whom nobody has waited for count in kill(2), so where there is
  /// a /proc it has the last word.
  var isRunning: Bool {
    guard kill(-id, 0) == 0 || errno == EPERM else { return false }
    guard let directory = opendir("/proc") else { return true }
    defer { closedir(directory) }
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if let process = pid_t(name), isMember(process) { return true }
    }
    return false
  }

  /// Whether a process belongs to the group and is not dead (proc_pid_stat(5): state and process group follow the
  /// name, which is in parentheses and may hold anything).
  private func isMember(_ process: pid_t) -> Bool {
    guard let file = fopen("/proc/\(process)/stat", "r") else { return false }
    defer { fclose(file) }
    var line = [UInt8](repeating: 0, count: 512)
    let count = fread(&line, 1, line.count, file)
    guard let nameEnd = line[..<count].lastIndex(of: UInt8(ascii: ")")) else { return false }
    let fields = line[(nameEnd + 1)..<count].split(separator: UInt8(ascii: " "))
    guard fields.count > 2, let group = pid_t(String(decoding: fields[2], as: UTF8.self)) else {
      return false
    }
    let isDead = fields[0].elementsEqual("Z".utf8) || fields[0].elementsEqual("X".utf8)
    return group == id && !isDead
  }
}
