import Glibc

/// A clock that never jumps, the same in all processes.
enum Clock {
  /// Nanoseconds since some moment in the past.
  static var now: UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
  }

  static let millisecond: UInt64 = 1_000_000
  static let second: UInt64 = 1_000_000_000
}
