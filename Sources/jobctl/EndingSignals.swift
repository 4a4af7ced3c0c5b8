import Glibc
import UnixSignals

extension UnixSignalsSequence {
  /// Traps the signals by which people and terminals end a command. A hangup is left alone when it is ignored, for so
  /// nohup(1) asks a command to survive it.
  ///
  /// - Parameter more: others to be treated like them.
  static func ofEnding(_ more: UnixSignal...) async -> UnixSignalsSequence {
    let hangup: [UnixSignal] = isIgnored(SIGHUP) ? [] : [.sighup]
    return await UnixSignalsSequence(trapping: [.sigint, .sigterm] + hangup + more)
  }

  /// Whether this process began with a signal ignored.
  static func isIgnored(_ number: Int32) -> Bool {
    // The only way to ask that is the same in every C library.
    let before = signal(number, SIG_IGN)
    signal(number, before)
    return unsafeBitCast(before, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
  }
}
