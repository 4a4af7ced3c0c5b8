import JobModel
import Testing

@testable import BrokerCore

@Suite("Waiting claims")
struct ClaimQueueTests {
  private var queue = ClaimQueue()
  private let connection = ConnectionID(1)

  private mutating func admit(_ number: UInt64, _ request: ClaimRequest, now: Duration = .zero)
    -> WaitingClaim
  {
    let key = RequestKey(connection: ConnectionID(number), id: 1)
    return queue.admit(request, key: key, worker: WorkerIdentity(name: "", pid: 1, uid: 1), now: now)
  }

  /// Claims of connections 1, 2, 3…, all waiting.
  private mutating func park(_ requests: ClaimRequest...) {
    for (index, request) in requests.enumerated() {
      let isParked = queue.park(admit(UInt64(index) + 1, request))
      #expect(isParked)
    }
  }

  private mutating func woken(by type: String, count: Int = 1) -> [UInt64] {
    queue.signal(type: type, count: count).map(\.key.connection.number)
  }

  @Test("are served in the order in which they came")
  mutating func firstComeFirstServed() {
    park(.waiting("a"), .waiting("a"), .waiting("a"))
    #expect(woken(by: "a") == [1])
    #expect(woken(by: "a") == [2])
    #expect(woken(by: "a") == [3])
    #expect(woken(by: "a") == [])
  }

  @Test("keep their place when they come back from the store with nothing")
  mutating func keepTheirPlace() {
    park(.waiting("a"), .waiting("a"), .waiting("a"))
    let first = queue.signal(type: "a", count: 1)
    #expect(queue.park(first[0]) == true)
    #expect(woken(by: "a") == [1])
  }

  @Test("are woken for the types they accept only")
  mutating func types() {
    park(.waiting("a"), .waiting("b"), .waiting("a", "b"))
    #expect(woken(by: "c") == [])
    #expect(woken(by: "b") == [2])
    #expect(woken(by: "b") == [3])
    #expect(woken(by: "b") == [])
    #expect(woken(by: "a") == [1])
  }

  @Test("of any type stand in one line with those of the type")
  mutating func anyType() {
    park(.waiting("a"), .waiting(), .waiting("a"))
    #expect(woken(by: "a") == [1])
    #expect(woken(by: "b") == [2])
    #expect(woken(by: "a") == [3])
  }

  @Test("that name a type twice are woken once")
  mutating func repeatedType() {
    park(.waiting("a", "a"))
    #expect(woken(by: "a", count: 5) == [1])
    #expect(queue.count == 0)
  }

  @Test("are woken in the number that the jobs suffice for")
  mutating func severalJobs() {
    park(.waiting("a"), .waiting("a", maxJobs: 3), .waiting("a"), .waiting("a"))
    #expect(woken(by: "a", count: 5) == [1, 2, 3])
    #expect(woken(by: "a", count: .max) == [4])
  }

  @Test("go again when a job became ready while they were at the store")
  mutating func missedSignal() {
    let claim = admit(1, .waiting("a"))
    #expect(woken(by: "a") == [])
    #expect(queue.park(claim) == false)
    #expect(queue.park(queue.resend(claim)) == true)
  }

  @Test("of any type go again after any signal")
  mutating func missedSignalOfAnyType() {
    let claim = admit(1, .waiting())
    _ = woken(by: "b")
    #expect(queue.park(claim) == false)
  }

  @Test("do not go again for a type they do not accept, nor for a signal before they went")
  mutating func irrelevantSignals() {
    _ = woken(by: "a")
    let claim = admit(1, .waiting("a"))
    _ = woken(by: "b")
    #expect(queue.park(claim) == true)
  }

  @Test("that missed a signal go again even when more types came by than are remembered")
  mutating func manyTypes() {
    let claim = admit(1, .waiting("a"))
    _ = woken(by: "a")
    for number in 0..<5_000 { _ = woken(by: "type \(number)") }
    #expect(queue.park(claim) == false)
  }

  @Test("that were woken for jobs they did not take leave those to be signalled again")
  mutating func jobsLeft() {
    park(.waiting("a", "b"), .waiting("a", maxJobs: 3))
    let one = queue.signal(type: "a", count: 1)[0]
    #expect(one.left(after: [.number(1, type: "b", attempt: 1)]) == ReadyJobs(type: "a", count: 1))
    #expect(one.left(after: [.number(1, type: "a", attempt: 1)]) == nil)
    #expect(one.left(after: []) == nil, "it found nothing that it accepts, so there is nothing left")
    #expect(queue.resend(one).left(after: [.number(1, type: "b", attempt: 1)]) == nil)
    let three = queue.signal(type: "a", count: 2)[0]
    #expect(three.left(after: [.number(1, type: "a", attempt: 1)]) == ReadyJobs(type: "a", count: 1))
  }

  @Test("are answered with nothing at their deadline, not before")
  mutating func expiry() {
    park(.waiting("a", wait: .seconds(2)), .waiting("a", wait: .seconds(1)), .waiting("b", wait: .seconds(3)))
    #expect(queue.nextDeadline == .seconds(1))
    #expect(queue.expire(now: .milliseconds(999)).isEmpty)
    #expect(queue.expire(now: .seconds(2)).map(\.key.connection.number) == [1, 2])
    #expect(queue.nextDeadline == .seconds(3))
    #expect(woken(by: "a") == [])
    #expect(woken(by: "b") == [3])
  }

  @Test("go with their connection, and no others do")
  mutating func removal() {
    park(.waiting("a"), .waiting(), .waiting("a"))
    #expect(queue.removeAll(of: ConnectionID(1)).map(\.key.connection.number) == [1])
    #expect(woken(by: "a", count: 2) == [2, 3])
  }

  @Test("of one connection are told apart by their requests, waiting or at the store")
  mutating func severalOfAConnection() {
    var keys: [RequestKey] = []
    for id in 1...4 as ClosedRange<UInt64> {
      let key = RequestKey(connection: connection, id: id)
      let claim = queue.admit(
        .waiting("a"), key: key, worker: WorkerIdentity(name: "", pid: 1, uid: 1), now: .zero)
      let isParked = queue.park(claim)
      #expect(isParked)
      keys.append(key)
    }
    #expect(queue.withdraw(keys[2])?.key == keys[2])
    let sent = queue.signal(type: "a", count: 1)
    for claim in sent { queue.leave(claim) }
    #expect(sent.map(\.key) == [keys[0]])
    #expect(queue.withdraw(keys[0]) == nil)
    #expect(queue.comeBack(sent[0]) == true)
    #expect(queue.removeAll(of: connection).map(\.key) == [keys[1], keys[3]])
    #expect(queue.withdraw(keys[1]) == nil)
    #expect(queue.count == 0)
  }

  @Test("can all be turned away")
  mutating func removalOfAll() {
    park(.waiting("a"), .waiting(), .waiting("b"))
    #expect(queue.removeAll().map(\.key.connection.number) == [1, 2, 3])
    #expect(queue.count == 0)
    #expect(woken(by: "a") == [])
  }
}
