import JobModel
import JobProtocol
import Testing

@testable import BrokerServer

/// What a connection has under way.
@Suite struct RequestsUnderWayTests {
  private func begin(
    _ request: Request, frame: Int, in requests: inout RequestsUnderWay, expecting isTaken: Bool
  ) {
    let taken = requests.begin(request, frame: frame)
    #expect(taken == isTaken)
  }

  @Test func aRequestCountsUntilItIsAnswered() {
    var requests = RequestsUnderWay()
    begin(Request(id: 1, operation: .ping), frame: 100, in: &requests, expecting: true)
    #expect(requests.unanswered == 1)
    #expect(requests.size >= 100)
    requests.answered(1)
    requests.answered(1)
    #expect(requests.unanswered == 0)
    #expect(requests.unansweredSize == 0 && requests.size == 0)
  }

  @Test func anIdThatIsUnderWayIsNotTakenAgain() {
    var requests = RequestsUnderWay()
    begin(Request(id: 1, operation: .ping), frame: 1, in: &requests, expecting: true)
    let size = requests.size
    begin(Request(id: 1, operation: .stats), frame: 1, in: &requests, expecting: false)
    #expect(requests.size == size && requests.unanswered == 1)
  }

  @Test func aWatchIsUnderWayUntilItEnds() {
    var requests = RequestsUnderWay()
    begin(
      Request(id: 1, operation: .watch(WatchSelection(types: ["t"]))), frame: 50, in: &requests,
      expecting: true)
    requests.answered(1, isFollowing: true)
    #expect(requests.unanswered == 0)
    #expect(requests.unansweredSize == 0 && requests.size > 0)
    begin(Request(id: 2, operation: .unwatch(id: 1)), frame: 1, in: &requests, expecting: true)
    begin(Request(id: 1, operation: .ping), frame: 1, in: &requests, expecting: false)
    requests.answered(2, endsWatch: true)
    #expect(requests.size == 0)
  }

  @Test func aWatchThatEndsBeforeItsSnapshotIsOverWithThat() {
    var requests = RequestsUnderWay()
    begin(Request(id: 1, operation: .watch(WatchSelection())), frame: 50, in: &requests, expecting: true)
    begin(Request(id: 2, operation: .unwatch(id: 1)), frame: 1, in: &requests, expecting: true)
    requests.answered(2, endsWatch: true)
    #expect(requests.unanswered == 1)
    requests.answered(1, isFollowing: true)
    #expect(requests.unanswered == 0 && requests.size == 0)
  }

  @Test func anUnwatchThatIsRefusedEndsNoWatch() {
    var requests = RequestsUnderWay()
    begin(Request(id: 2, operation: .unwatch(id: 1)), frame: 1, in: &requests, expecting: true)
    begin(Request(id: 1, operation: .watch(WatchSelection())), frame: 50, in: &requests, expecting: true)
    requests.answered(2)
    requests.answered(1, isFollowing: true)
    #expect(requests.size > 50)
    begin(Request(id: 1, operation: .ping), frame: 1, in: &requests, expecting: false)
  }

  @Test func theEndOfAWatchThatWasRefusedIsNotThatOfALaterRequest() {
    var requests = RequestsUnderWay()
    begin(Request(id: 1, operation: .watch(WatchSelection())), frame: 50, in: &requests, expecting: true)
    begin(Request(id: 2, operation: .unwatch(id: 1)), frame: 1, in: &requests, expecting: true)
    requests.answered(1)
    begin(Request(id: 1, operation: .watch(WatchSelection())), frame: 50, in: &requests, expecting: true)
    requests.answered(2, endsWatch: true)
    requests.answered(1, isFollowing: true)
    #expect(requests.size > 50)
  }

  @Test func manyJobsAndNamesCountMoreThanTheirBytes() {
    func size(_ operation: Operation) -> Int {
      var requests = RequestsUnderWay()
      _ = requests.begin(Request(id: 1, operation: operation), frame: 1)
      return requests.size
    }
    #expect(size(.create((0..<100).map { _ in NewJob(type: "t") })) > 100 * 500)
    #expect(size(.claim(ClaimRequest(types: (0..<100).map { "\($0)" }))) > 100 * 100)
    #expect(size(.watch(WatchSelection(types: Set((0..<100).map { TypeName("\($0)") })))) > 100 * 100)
  }
}
