import NIOCore
import NIOEmbedded
import Testing

@testable import BrokerServer

/// When a peer is late.
@Suite struct FrameDeadlineTests {
  @Test func whoSendsNothingHasTheTimeAndAMoment() {
    let bench = Bench()
    bench.pass(.seconds(30))
    #expect(!bench.isLate && bench.deadline.isRunning)
    bench.pass(.seconds(1))
    #expect(bench.isLate && !bench.deadline.isRunning)
  }

  @Test func whatLiesInTheSocketIsReadFirst() {
    let bench = Bench()
    bench.standStill(for: .seconds(100))
    #expect(!bench.isLate)
    // The look at the sockets brings the rest of the frame.
    bench.deadline.receive(10)
    bench.deadline.stop()
    bench.look()
    bench.pass(.seconds(100))
    #expect(!bench.isLate)
  }

  @Test func aLargeFrameGoesOnAsLongAsEachMomentBringsAPart() {
    let bench = Bench()
    bench.pass(.seconds(30))
    for _ in 0..<100 { bench.pass(.seconds(1), thenReceiving: ServerConfiguration.readSize) }
    #expect(!bench.isLate)
    bench.pass(.seconds(1))
    #expect(bench.isLate)
  }

  @Test func aByteNowAndThenIsNotEnough() {
    let bench = Bench()
    for _ in 0..<30 { bench.pass(.seconds(1), thenReceiving: ServerConfiguration.readSize) }
    for _ in 0..<1_000 { bench.pass(.milliseconds(1), thenReceiving: 1) }
    #expect(bench.isLate)
  }

  @Test func theTimeOfAnEarlierFrameDoesNotEndTheNext() {
    let bench = Bench()
    bench.standStill(for: .seconds(30))
    bench.deadline.stop()
    bench.start()
    bench.look()
    bench.pass(.seconds(29))
    #expect(!bench.isLate)
    bench.pass(.seconds(1))
    bench.pass(.seconds(1))
    #expect(bench.isLate)
  }
}

/// A deadline of 30 s that has begun, on a loop whose clock the test moves, and whose sockets have their turn when it
/// says so.
private final class Bench {
  private final class Turn { var actions: [() -> Void] = [] }

  let deadline: FrameDeadline
  private(set) var isLate = false
  private let loop = EmbeddedEventLoop()
  private let turn = Turn()

  init() {
    deadline = FrameDeadline(.seconds(30), on: loop) { [turn] in turn.actions.append($0) }
    start()
  }

  func start() { deadline.start { [unowned self] in isLate = true } }

  /// Time passes in which the loop does not look at its sockets.
  func standStill(for time: TimeAmount) { loop.advanceTime(by: time) }

  /// The sockets have their turn.
  func look() {
    let due = turn.actions
    turn.actions = []
    for action in due { action() }
  }

  /// Time passes, and then the sockets have their turn and bring so many bytes.
  func pass(_ time: TimeAmount, thenReceiving count: Int = 0) {
    standStill(for: time)
    deadline.receive(count)
    look()
  }
}
