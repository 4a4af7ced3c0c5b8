import BrokerCore
import JobModel
import JobStore
import NIOCore

/// Groups commands into transactions: those that arrive while one transaction is made durable share the next.
///
/// With a store on this host an idle broker runs a command at the end of the loop's present turn. Only those who are
/// about to ask are waited for: before a transaction as long as a look at the sockets takes, before a sync for a moment
/// (`SyncDelay`). While the disk is busy, commands that need it gather, for they could not be answered before it is free;
/// when there are some, they are run meanwhile, so that the disk and this thread are busy at the same time. Commands that
/// do not need it (claims, reports) are run without waiting for it, unless others have gathered.
///
/// With a remote store those who were just answered are given a moment to ask again, before the next transaction goes
/// without them and makes them wait for two. It ends as soon as they have.
///
/// Bound to its event loop.
final class GroupCommit {
  /// What happens to the commands, in the order of execution.
  struct Delegate {
    /// A transaction was run, and is visible: here are its commands and their results.
    var executed: (CommandBatch, [Result<JobReply, JobError>]) -> Void
    /// Every transaction run so far, up to the `count`-th, is durable.
    var durable: (_ count: Int) -> Void
    /// The outcome of a transaction, or its durability, is unknown. Nothing more will be run.
    var failed: (JobError) -> Void
  }

  private let store: any JobStore
  private let eventLoop: any EventLoop
  private var delegate: Delegate?
  private var waiting = CommandBatch()
  private var isScheduled = false
  /// Commands of the transaction that is being run.
  private var executing = 0
  private(set) var isSyncing = false
  /// The weight of the commands whose results wait for the disk; of these, for the sync that is under way.
  private var (kept, syncing) = (0, 0)
  /// Why nothing more is run.
  private(set) var failure: JobError?
  private var synced = 0
  /// The last transaction's time, divided by this, is how long the next one waits for more commands at most.
  private static let lingerShare: Int64 = 4
  private static let longestLinger: TimeAmount = .milliseconds(20)
  /// With how many commands the next transaction need not wait for more.
  private var enough = 0
  private var lingering: Scheduled<Void>?
  /// As many commands are worth a transaction of their own while the disk is busy, or another look at the sockets; fewer
  /// cost more than they gain.
  private static let worthwhile = 4
  /// The weight of one transaction at most: its results are held together, and each may have a job's.
  private static let largest = 512
  /// After transactions that took so long together, the sockets have their turn before the next.
  private static let longTurn: TimeAmount = .milliseconds(5)
  private var turn = TimeAmount.zero
  private let afterSockets: ((_ action: @escaping () -> Void) -> Void)?
  private var isYielding = false

  /// Transactions run so far.
  private(set) var commits = 0
  /// Commands run so far.
  private(set) var commands = 0
  /// Commands that have been run when those are that have been taken into a transaction, or appended, by now.
  var taken: Int { commands + executing }
  var appended: Int { taken + waiting.count }
  private var isExecuting: Bool { executing > 0 }

  /// - Parameter afterSockets: runs an action after the loop looked at its sockets; nil: nothing waits for that.
  init(
    store: any JobStore, eventLoop: any EventLoop,
    afterSockets: ((_ action: @escaping () -> Void) -> Void)? = nil
  ) {
    self.store = store
    self.eventLoop = eventLoop
    self.afterSockets = afterSockets
  }

  /// Whether nothing is waiting, running or on its way to the disk.
  var isIdle: Bool { waiting.isEmpty && !isExecuting && !isSyncing && synced == commits }

  /// The transaction whose changes a read or an event may show, as long as they are not durable. One that is being run may have
  /// committed already, unless it is held up; in a remote store that makes it durable.
  var visible: Int? {
    if isExecuting && !store.isRemote && !store.isHeldUp { return commits + 1 }
    return synced < commits ? commits : nil
  }

  /// Sets who is told; nil when nobody is any more.
  func report(to delegate: Delegate?) {
    self.delegate = delegate
    if delegate != nil { return }
    putOff?.cancel()
    putOff = nil
  }

  func append(_ submission: Submission) {
    waiting.append(submission)
    schedule()
  }

  /// Refuses those that wait and of which this is so.
  func refuse(where isUnwanted: (Submission) -> Bool) {
    let refused = waiting.removeAll(where: isUnwanted)
    refuse(refused, JobError(.unavailable, "The connection ended before the request was run."))
  }

  private func refuse(_ batch: CommandBatch, _ error: JobError) {
    delegate?.executed(batch, Array(repeating: .failure(error), count: batch.count))
  }

  /// Whether so many results wait for the disk that nothing that needs it is run before.
  private var isLaden: Bool { kept >= Self.largest }

  /// Whether what waits is to wait for the disk: it is too little, or too much is kept already until that is done.
  private var gathers: Bool {
    waiting.needsDisk && (isSyncing && waiting.count < Self.worthwhile || isLaden)
  }

  /// Runs the next transaction after the other events of this turn of the loop, so that all they bring shares it.
  private func schedule() {
    if isScheduled || isExecuting || isYielding || gathers { return }
    if waiting.count < min(enough, Self.largest) { return }
    isScheduled = true
    eventLoop.assumeIsolated().execute { [self] in turnEnded(isLookWorthIt: true) }
  }

  /// Runs what waits, unless more is likely to come: then the loop has a look at the sockets first, and another as long
  /// as that brings some. Clients that share a sync are sent their replies one by one, and the first of them have asked
  /// again before the last has its own; a transaction for each such group would cost more than the looks.
  private func turnEnded(isLookWorthIt: Bool) {
    let count = waiting.count
    guard isLookWorthIt, let afterSockets, count < min(delay.missing, Self.largest) else {
      isScheduled = false
      return executeNext()
    }
    turn = .zero
    afterSockets { [self] in turnEnded(isLookWorthIt: waiting.count - count >= Self.worthwhile) }
  }

  private func executeNext() {
    guard !isExecuting, failure == nil else { return }
    // The sync that was left to what waits begins without it, where that was refused or is to wait for the disk.
    guard !waiting.isEmpty, !gathers else { return syncNext(isNeeded: false) }
    lingering?.cancel()
    let batch = waiting.removeFirst(weighing: Self.largest)
    executing = batch.count
    let start = eventLoop.now
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    let (store, eventLoop) = (store, eventLoop)
    Task(executorPreference: store.executor) {
      let outcome: Result<[Result<JobReply, JobError>], JobError>
      do throws(JobError) {
        outcome = .success(try await store.execute(batch.submissions.map(\.command)))
      } catch {
        outcome = .failure(error)
      }
      eventLoop.execute { bound.value.didExecute(batch, outcome, in: eventLoop.now - start) }
    }
  }

  private func didExecute(
    _ batch: CommandBatch, _ outcome: Result<[Result<JobReply, JobError>], JobError>, in time: TimeAmount
  ) {
    executing = 0
    commands += batch.count
    if let failure {
      refuse(batch, failure)
      return end(failure)
    }
    if store.isRemote {
      linger(for: batch.submissions.count { $0.asker != nil } + waiting.count, after: time)
    } else {
      giveWay(after: time)
    }
    switch outcome {
    case .success(let results):
      commits += 1
      kept += batch.durableWeight
      delegate?.executed(batch, results)
      // A remote store's transaction is durable, and has waited for others itself.
      if !store.isRemote { noteAskers(batch) }
      syncNext(isNeeded: batch.needsDisk)
    case .failure(let error) where error.code == .unknownOutcome:
      refuse(batch, error)
      fail(error)
    case .failure(let error):
      // It counts, as one that changed nothing: what waits for it is told in its turn.
      commits += 1
      refuse(batch, error)
      syncNext(isNeeded: false)
    }
    if !waiting.isEmpty { schedule() }
  }

  /// Gives the sockets their turn when the transactions have taken long.
  private func giveWay(after time: TimeAmount) {
    turn = turn + time
    guard let afterSockets, turn > Self.longTurn else { return }
    turn = .zero
    isYielding = true
    afterSockets { [self] in
      isYielding = false
      if !waiting.isEmpty { schedule() }
    }
  }

  /// Has the next transaction wait until there are so many commands, though not for long.
  private func linger(for count: Int, after time: TimeAmount) {
    let end = min(.nanoseconds(time.nanoseconds / Self.lingerShare), Self.longestLinger)
    enough = count
    lingering = eventLoop.assumeIsolated().scheduleTask(in: end) { [self] in
      enough = 0
      if !waiting.isEmpty { schedule() }
    }
  }

  /// The last transaction that something waits on to be durable.
  private var wanted = 0
  private var delay = SyncDelay()
  /// The beginning of a sync that is put off.
  private var putOff: Scheduled<Void>?

  private func noteAskers(_ batch: CommandBatch) {
    for submission in batch.submissions where !submission.isVolatile {
      if let asker = submission.asker { delay.add(asker) }
    }
  }

  private func syncNext(isNeeded: Bool) {
    if isNeeded { wanted = commits }
    guard !isSyncing, failure == nil else { return }
    guard wanted > synced else {
      // Nothing of it needs the disk, so it is as durable as it has to be.
      if synced < commits { didSync(commits) }
      return
    }
    guard let end = delay.begin(at: eventLoop.now) else { return sync() }
    if putOff != nil { return }
    putOff = eventLoop.assumeIsolated().scheduleTask(deadline: end) { [self] in
      putOff = nil
      // What is about to run shares the sync that follows it.
      if !isScheduled { syncNext(isNeeded: false) }
    }
  }

  private func sync() {
    putOff?.cancel()
    putOff = nil
    isSyncing = true
    syncing = kept
    let start = eventLoop.now
    let target = commits
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    let (store, eventLoop) = (store, eventLoop)
    Task(executorPreference: store.executor) {
      let outcome: Result<Void, JobError>
      do throws(JobError) { outcome = .success(try await store.sync()) } catch { outcome = .failure(error) }
      eventLoop.execute { bound.value.syncEnded(target, outcome, after: eventLoop.now - start) }
    }
  }

  private func syncEnded(_ target: Int, _ outcome: Result<Void, JobError>, after time: TimeAmount) {
    isSyncing = false
    if case .failure(let error) = outcome { return fail(error) }
    kept -= syncing
    delay.ended(after: time, at: eventLoop.now)
    didSync(target)
  }

  private func didSync(_ target: Int) {
    synced = target
    delegate?.durable(target)
    if !waiting.isEmpty { schedule() }
    // What is about to run on this host shares the next sync with what ran during this one.
    if store.isRemote || !isScheduled || wanted <= synced { syncNext(isNeeded: false) }
  }

  private func fail(_ error: JobError) {
    guard failure == nil else { return }
    failure = error
    // Those whose commands are being run are to be told, too.
    if !isExecuting { end(error) }
  }

  private func end(_ error: JobError) {
    let notRun = JobError(.unavailable, "The broker's store has failed; repeat the request when it is back.")
    // The end of one command may be what another was kept back for.
    while !waiting.isEmpty {
      let refused = waiting
      waiting = CommandBatch()
      refuse(refused, notRun)
    }
    delegate?.failed(error)
  }
}
