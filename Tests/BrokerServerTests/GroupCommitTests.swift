import JobModel
import NIOCore
import Testing

@testable import BrokerCore
@testable import BrokerServer

/// Which commands share a transaction.
@Suite(.timeLimit(.minutes(5))) struct GroupCommitTests {
  @Test func thoseWhoWereJustAnsweredShareTheNextTransactionOfARemoteStore() async throws {
    let bench = try await GroupCommitBench(isRemote: true)
    try await bench.append(2)
    #expect(await bench.transaction() == 2)
    try await bench.append(1)
    try await bench.answer(after: .milliseconds(20))
    // The third could go; it waits for the two.
    try await bench.append(1)
    try await bench.append(1)
    #expect(await bench.transaction() == 3)
    try await bench.end()
  }

  @Test func aRemoteStoreWaitsNoLongerThanAPartOfATransaction() async throws {
    let bench = try await GroupCommitBench(isRemote: true)
    try await bench.append(2)
    #expect(await bench.transaction() == 2)
    try await bench.append(1)
    try await bench.answer(after: .milliseconds(20))
    await bench.loop.advanceTime(by: .milliseconds(4))
    try await bench.append(1)
    await bench.loop.advanceTime(by: .milliseconds(1))
    #expect(await bench.transaction() == 2)
    try await bench.answer(after: .milliseconds(20))
    // Nobody came back in time, so whoever comes now goes at once.
    await bench.loop.advanceTime(by: .milliseconds(5))
    try await bench.append(1)
    #expect(await bench.transaction() == 1)
    try await bench.end()
  }

  @Test func aRemoteStoreDoesNotWaitForWhatTheBrokerItselfAsked() async throws {
    let bench = try await GroupCommitBench(isRemote: true)
    try await bench.append(1)
    #expect(await bench.transaction() == 1)
    try await bench.append(1)
    try await bench.append(1, for: .poll)
    try await bench.append(1)
    try await bench.answer(after: .milliseconds(20))
    try await bench.append(1)
    #expect(await bench.transaction() == 4)
    try await bench.answer(after: .milliseconds(20))
    // Three were answered; nobody comes back for the fourth.
    try await bench.append(3)
    #expect(await bench.transaction() == 3)
    try await bench.end()
  }

  @Test(arguments: [false, true]) func aTransactionHasOnlySoManyCommands(isRemote: Bool) async throws {
    let bench = try await GroupCommitBench(isRemote: isRemote)
    try await bench.append(1_024)
    #expect(await bench.transaction() == 512)
    try await bench.answer(after: .milliseconds(1))
    #expect(await bench.transaction() == 512)
    try await bench.end()
  }

  @Test func aCreateCountsForEachOfItsJobs() async throws {
    let bench = try await GroupCommitBench(isRemote: false)
    try await bench.append(3, jobs: 200)
    #expect(await bench.transaction() == 2)
    try await bench.append(1, jobs: 1_000)
    try await bench.append(1)
    try await bench.answer(after: .zero)
    #expect(await bench.transaction() == 1)
    try await bench.answer(after: .zero)
    // One that is larger than a transaction should be has one of its own.
    #expect(await bench.transaction() == 1)
    try await bench.answer(after: .zero)
    #expect(await bench.transaction() == 1)
    try await bench.end()
  }

  @Test func transactionsThatTakeLongTogetherLetTheSocketsHaveTheirTurn() async throws {
    let bench = try await GroupCommitBench(isRemote: false, holdsLooks: true)
    for _ in 0..<3 {
      try await bench.append(2)
      #expect(await bench.transaction() == 2)
      try await bench.answer(after: .milliseconds(2))
    }
    try await bench.append(2)
    try await bench.look()
    #expect(await bench.transaction() == 2)
    try await bench.end()
  }

  @Test func aStoreOnThisHostWaitsForNobody() async throws {
    let bench = try await GroupCommitBench(isRemote: false)
    try await bench.append(2)
    #expect(await bench.transaction() == 2)
    try await bench.append(1)
    try await bench.answer(after: .milliseconds(20))
    #expect(await bench.transaction() == 1)
    try await bench.end()
  }

  /// The disk and the store work at the same time, but not for a command or two.
  @Test func whileTheDiskIsBusySomeCommandsGatherAndThenAreRun() async throws {
    let bench = try await GroupCommitBench(isRemote: false, holdsSyncs: true)
    try await bench.execute(1)
    try await bench.append(3)
    try await bench.append(1)
    // Had the three not waited, they would be one transaction; and the sync is not over.
    #expect(await bench.transaction() == 4)
    try await bench.end()
  }

  @Test func noMoreThanSoManyResultsAreKeptWhileTheDiskIsBusy() async throws {
    let bench = try await GroupCommitBench(isRemote: false, holdsSyncs: true)
    try await bench.execute(1)
    try await bench.append(512)
    #expect(await bench.transaction() == 512)
    try await bench.answer(after: .zero)
    try await bench.append(100)
    // The third would be visible as soon as it is run.
    #expect(try await bench.visible == 2)
    try await bench.endSync()
    // Those are still kept, and wait for the next.
    #expect(try await bench.visible == 2)
    try await bench.endSync()
    #expect(await bench.transaction() == 100)
    try await bench.end()
  }

  /// The 512 results wait for a sync that is left to what is about to run, which then waits for it itself.
  @Test func aSyncThatIsLeftToATransactionBeginsThoughThatIsHeldBack() async throws {
    let bench = try await GroupCommitBench.withClients(3, holdsLooks: true)
    try await bench.execute(512)
    try await bench.append(1, isVolatile: true)
    await bench.loop.advanceTime(by: .milliseconds(1))
    try await bench.append(1)
    #expect(try await !bench.isSyncing)
    try await bench.look()
    #expect(try await bench.isSyncing)
    try await bench.endSync()
    #expect(await bench.transaction() == 2)
    try await bench.end()
  }

  @Test func aSyncThatIsLeftToATransactionBeginsThoughThatIsRefused() async throws {
    let bench = try await GroupCommitBench.withClients(3, holdsLooks: true)
    try await bench.execute(4)
    try await bench.append(1, from: 2)
    await bench.loop.advanceTime(by: .milliseconds(1))
    try await bench.refuse(2)
    #expect(try await !bench.isSyncing)
    try await bench.look()
    #expect(try await bench.isSyncing)
    try await bench.endSync()
    #expect(bench.told == ["executed 4", "refused 1", "durable 3"])
    await bench.loop.shutdownGracefully()
  }

  @Test func whatIsRefusedIsNotRunAndTheRestIs() async throws {
    let bench = try await GroupCommitBench(isRemote: false)
    try await bench.append(2, from: 1)
    #expect(await bench.transaction() == 2)
    try await bench.append(3, from: 1)
    try await bench.append(4, from: 2)
    try await bench.refuse(1)
    #expect(bench.told == ["refused 3"])
    try await bench.answer(after: .zero)
    #expect(await bench.transaction() == 4)
    try await bench.end()
  }

  @Test func aTransactionIsDurableAfterASyncThatBeganBehindIt() async throws {
    let bench = try await GroupCommitBench(isRemote: false, holdsSyncs: true)
    try await bench.execute(1)
    try await bench.execute(4)
    try await bench.endSync()
    #expect(bench.told == ["executed 1", "executed 4", "durable 1"])
    try await bench.endSync()
    #expect(bench.told.last == "durable 2")
    await bench.loop.shutdownGracefully()
  }

  @Test func whatWasKeptBackSharesTheNextSync() async throws {
    let bench = try await GroupCommitBench(isRemote: false, holdsSyncs: true)
    try await bench.execute(1)
    try await bench.execute(4)
    try await bench.append(1)
    try await bench.endSync()
    #expect(await bench.transaction() == 1)
    try await bench.answer(after: .zero)
    try await bench.endSync()
    #expect(bench.told == ["executed 1", "executed 4", "durable 1", "executed 1", "durable 3"])
    await bench.loop.shutdownGracefully()
  }

  /// Two clients that missed each other would miss each other for ever, each waiting for the other's sync.
  @Test func clientsThatAskAgainAtOnceShareASync() async throws {
    let bench = try await GroupCommitBench.withClients(2)
    try await bench.execute(1, from: 1)
    #expect(try await bench.visible == 3)
    try await bench.execute(1, from: 2)
    try await bench.endSync(after: .microseconds(100))
    #expect(bench.told == ["executed 1", "executed 1", "durable 4"])
    await bench.loop.shutdownGracefully()
  }

  @Test func aSyncIsPutOffOnlyForAMomentAndTheNextNotAtAll() async throws {
    let bench = try await GroupCommitBench.withClients(2)
    try await bench.execute(1, from: 1)
    await bench.loop.advanceTime(by: .microseconds(400))
    // Too late: this one waits until the sync is over.
    try await bench.append(1, from: 2)
    try await bench.endSync(after: .microseconds(100))
    #expect(bench.told == ["executed 1", "durable 3"])
    #expect(await bench.transaction() == 1)
    try await bench.answer(after: .zero)
    try await bench.append(1, from: 1)
    try await bench.endSync(after: .microseconds(100))
    #expect(bench.told == ["executed 1", "durable 3", "executed 1", "durable 4"])
    await bench.loop.shutdownGracefully()
  }

  @Test func aSyncThatIsPutOffDoesNotBeginAfterATransactionOfUnknownOutcome() async throws {
    let bench = try await GroupCommitBench.withClients(2)
    try await bench.execute(1, from: 1)
    try await bench.append(1, from: 2)
    #expect(await bench.transaction() == 1)
    try await bench.loseTransaction()
    await bench.loop.advanceTime(by: .milliseconds(1))
    #expect(try await !bench.isSyncing)
    #expect(bench.told == ["executed 1", "refused 1", "failed"])
    await bench.loop.shutdownGracefully()
  }

  @Test(arguments: [false, true])
  func aSyncThatIsPutOffBeginsWhenItIsTimeUnlessNobodyIsToldAnyMore(isTold: Bool) async throws {
    let bench = try await GroupCommitBench.withClients(2)
    try await bench.execute(1, from: 1)
    #expect(try await !bench.isSyncing)
    if !isTold { try await bench.reportToNobody() }
    await bench.loop.advanceTime(by: .milliseconds(1))
    #expect(try await bench.isSyncing == isTold)
    await bench.loop.shutdownGracefully()
  }

  /// While one client is sent its reply, the other has read its own and asked again.
  @Test func thoseWhoAskDuringALookAtTheSocketsShareTheTransaction() async throws {
    let bench = try await GroupCommitBench.withClients(2, holdsLooks: true)
    try await bench.append(1, from: 1)
    try await bench.append(1, from: 2)
    try await bench.look()
    #expect(await bench.transaction() == 2)
    await bench.loop.shutdownGracefully()
  }

  @Test func aLookThatBringsFewIsTheLast() async throws {
    let bench = try await GroupCommitBench.withClients(10, holdsLooks: true)
    try await bench.append(1, from: 1)
    try await bench.append(from: [2, 3, 4, 5])
    try await bench.look()
    try await bench.append(1, from: 6)
    try await bench.look()
    #expect(await bench.transaction() == 6)
    await bench.loop.shutdownGracefully()
  }

  @Test func thereIsNoLookForThoseWhoseCommandsWaitForTheSync() async throws {
    let bench = try await GroupCommitBench.withClients(2, holdsLooks: true)
    try await bench.append(1, from: 1)
    try await bench.look()
    #expect(await bench.transaction() == 1)
    try await bench.answer(after: .zero)
    try await bench.append(1, from: 2)
    #expect(await bench.transaction() == 1)
    await bench.loop.shutdownGracefully()
  }

  @Test func aSyncThatIsPutOffWaitsForTheEndOfALook() async throws {
    let bench = try await GroupCommitBench.withClients(3, holdsLooks: true)
    try await bench.append(1, from: 1)
    try await bench.look()
    #expect(await bench.transaction() == 1)
    try await bench.answer(after: .zero)
    try await bench.append(1, from: 2)
    await bench.loop.advanceTime(by: .milliseconds(1))
    try await bench.look()
    #expect(await bench.transaction() == 1)
    try await bench.answer(after: .zero)
    try await bench.endSync()
    #expect(bench.told == ["executed 1", "executed 1", "durable 4"])
    await bench.loop.shutdownGracefully()
  }

  @Test func whoeverIsBeingServedWhenASyncFailsIsTold() async throws {
    let bench = try await GroupCommitBench(isRemote: false, holdsSyncs: true)
    try await bench.execute(1)
    try await bench.append(4)
    #expect(await bench.transaction() == 4)
    try await bench.failSync()
    try await bench.answer(after: .zero)
    #expect(bench.told == ["executed 1", "refused 4", "failed"])
    await bench.loop.shutdownGracefully()
  }

  /// The commit of a store on this host may be seen before the loop hears of it, and before it is durable.
  @Test(arguments: [false, true]) func aReadWaitsForATransactionThatItMayHaveSeen(isRemote: Bool) async throws
  {
    let bench = try await GroupCommitBench(isRemote: isRemote)
    #expect(try await bench.visible == nil)
    try await bench.append(1)
    #expect(await bench.transaction() == 1)
    #expect(try await bench.visible == (isRemote ? nil : 1))
    try await bench.answer(after: .zero)
    #expect(try await bench.visible == nil)
    try await bench.append(1)
    #expect(await bench.transaction() == 1)
    #expect(try await bench.visible == (isRemote ? nil : 2))
    try await bench.end()
  }

  @Test func aReadDoesNotWaitForATransactionThatIsHeldUp() async throws {
    let bench = try await GroupCommitBench(isRemote: false)
    try await bench.append(1)
    #expect(await bench.transaction() == 1)
    bench.store.isHeldUp = true
    #expect(try await bench.visible == nil)
    bench.store.isHeldUp = false
    #expect(try await bench.visible == 1)
    try await bench.end()
  }
}
