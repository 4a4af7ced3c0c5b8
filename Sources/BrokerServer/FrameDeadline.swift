import NIOCore

/// The time in which a peer must send its first request, or the rest of a frame that it has begun.
///
/// When it is over, that may lie in the socket all the same: the broker stood still, or it has much to do and reads a
/// large frame a part a turn. So the sockets have their turn first, and then the peer has a moment more, again and
/// again as long as each brings a whole read. A byte now and then is not enough for that.
///
/// Bound to its event loop.
final class FrameDeadline {
  private let time: TimeAmount
  private let eventLoop: any EventLoop
  private let afterSockets: (_ action: @escaping () -> Void) -> Void
  private var timer: Scheduled<Void>?
  /// Bytes received since the time was over, or since the last moment was.
  private var received = 0
  /// Tells the time that was stopped from the next.
  private var stops = 0

  private(set) var isRunning = false

  /// - Parameter afterSockets: runs an action after the loop looked at its sockets.
  init(
    _ time: TimeAmount, on eventLoop: any EventLoop,
    afterSockets: @escaping (_ action: @escaping () -> Void) -> Void
  ) {
    self.time = time
    self.eventLoop = eventLoop
    self.afterSockets = afterSockets
  }

  /// The time begins. `whenLate` is called at its end, unless it is stopped before.
  func start(whenLate: @escaping () -> Void) {
    isRunning = true
    wait(time, toReceive: 0, whenLate)
  }

  func receive(_ count: Int) { received += count }

  func stop() {
    isRunning = false
    stops += 1
    timer?.cancel()
    timer = nil
  }

  private func wait(_ time: TimeAmount, toReceive enough: Int, _ whenLate: @escaping () -> Void) {
    timer = eventLoop.assumeIsolated().scheduleTask(in: time) { [self] in
      let before = stops
      afterSockets { [self] in
        if stops != before { return }
        if received < enough {
          stop()
          return whenLate()
        }
        received = 0
        wait(min(self.time, .seconds(1)), toReceive: ServerConfiguration.readSize, whenLate)
      }
    }
  }
}
