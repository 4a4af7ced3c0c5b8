import NIOCore
import Testing

@testable import BrokerCore
@testable import BrokerServer

/// For which clients a sync waits, and for how long.
@Suite struct SyncDelayTests {
  @Test func clientsThatAskAgainAtOnceAreWaitedForEachTime() {
    let disk = Disk()
    disk.sync(of: [1, 2])
    for _ in 0..<100 {
      #expect(disk.sync(of: [1], late: [2]))
      #expect(disk.sync(of: [2], late: [1]))
    }
    #expect(disk.waits.allSatisfy { $0 == .zero })
  }

  @Test func aClientIsForgottenWhenItMissesTwoSyncs() {
    let disk = Disk()
    disk.sync(of: [1, 2])
    #expect(disk.sync(of: [1]))
    // The first wait was for nothing, so there is none now.
    #expect(!disk.sync(of: [1]))
    #expect(!disk.sync(of: [1]))
    disk.sync(of: [1, 2])
    #expect(disk.sync(of: [1]))
  }

  /// Nine waits until 256 syncs pass between two, and then one in 257.
  @Test func clientsThatWorkBetweenTheirRequestsAreHardlyEverWaitedFor() {
    let disk = Disk()
    for round in 0..<10_000 { disk.sync(of: [UInt64(round % 2)]) }
    #expect((9...60).contains(disk.waits.count))
  }

  /// Whoever comes by chance does not stand for those who were waited for.
  @Test func strangersDoNotMakeAWaitWorthIt() {
    let disk = Disk()
    for round in 0..<10_000 {
      disk.sync(of: [0, UInt64(1 + round % 9)], late: [UInt64(1 + (round + 4) % 9)])
    }
    #expect((9...60).contains(disk.waits.count))
  }

  @Test func eachWaitForNothingMakesWaitsRarerAndEachThatIsWorthItMoreFrequent() {
    let disk = Disk()
    /// Whether a sync is put off that a client does not or does come in time for; then the two share one.
    func isPutOff(late: [UInt64]) -> Bool {
      defer { disk.sync(of: [1, 2]) }
      return disk.sync(of: [1], late: late)
    }
    disk.sync(of: [1, 2])
    #expect([isPutOff(late: []), isPutOff(late: [])] == [true, true])
    #expect([isPutOff(late: [2]), isPutOff(late: [2]), isPutOff(late: [2])] == [false, true, true])
  }

  @Test(arguments: [
    (TimeAmount.microseconds(49), TimeAmount.zero), (.microseconds(50), .microseconds(200)),
    (.milliseconds(10), .milliseconds(1)),
  ]) func theWaitIsAsLongAsItIsWorth(sync: TimeAmount, wait: TimeAmount) {
    let disk = Disk()
    disk.sync(of: [1, 2], in: sync)
    disk.sync(of: [1])
    #expect(disk.waits == (wait == .zero ? [] : [wait]))
  }

  @Test func sixteenClientsAreEnough() {
    let disk = Disk()
    disk.sync(of: Array(1...20))
    #expect(!disk.sync(of: Array(1...16)))
    #expect(disk.sync(of: Array(1...15), late: [20]))
    #expect(disk.waits == [.zero])
  }

  @Test func nobodyWaitsForWhatTheBrokerDoesOfItsOwnAccord() {
    let disk = Disk()
    disk.sync(of: [1, 2])
    #expect(!disk.sync(of: []))
    #expect(disk.sync(of: [1], late: [2]))
  }
}

/// A disk whose syncs wait as a `SyncDelay` says.
private final class Disk {
  private var delay = SyncDelay()
  private var now = NIODeadline.uptimeNanoseconds(0)
  /// How long the syncs were put off that were.
  private(set) var waits: [TimeAmount] = []

  /// Makes a sync.
  ///
  /// - Parameters:
  ///   - clients: whose commands wait for it.
  ///   - late: whose come while it is put off.
  ///   - time: how long it takes.
  /// - Returns: whether it was put off.
  @discardableResult
  func sync(of clients: [UInt64], late: [UInt64] = [], in time: TimeAmount = .microseconds(100))
    -> Bool
  {
    for client in clients { delay.add(ConnectionID(client)) }
    let start = now
    let wasPutOff = delay.begin(at: now) != nil
    if wasPutOff {
      for client in late { delay.add(ConnectionID(client)) }
      if let end = delay.begin(at: now) {
        now = end
        let another = delay.begin(at: now)
        #expect(another == nil)
      }
      waits.append(now - start)
    }
    now = now + time
    delay.ended(after: time, at: now)
    return wasPutOff
  }
}
