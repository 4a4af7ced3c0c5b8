import JobModel
import JobProtocol
import NIOCore

/// A watch as the session knows it. Its reader knows only the buffer.
struct WatchState {
  let selection: WatchSelection
  let buffer: WatchBuffer
  /// The caller of `watch`, until the first snapshot is whole.
  var opening: CheckedContinuation<JobError?, Never>?
  /// When that caller has waited too long.
  let expiry: NIODeadline
  /// The frames of a snapshot that is not whole yet.
  var snapshot: [Job] = []
}

extension Session {
  /// Begins a watch. Watches stand outside of the limit on requests in flight: they are answered at once.
  func watch(
    _ id: UInt64, _ selection: WatchSelection, into buffer: WatchBuffer,
    opening: CheckedContinuation<JobError?, Never>
  ) {
    if case .closed(let error) = state { return opening.resume(returning: error) }
    let watch = WatchState(selection: selection, buffer: buffer, opening: opening, expiry: expiry())
    watches[id] = watch
    wake(at: watch.expiry)
    send(watch, id)
  }

  /// Takes up again a watch whose reader was too slow and has caught up.
  func resumeWatch(_ selection: WatchSelection, into buffer: WatchBuffer) {
    if case .closed(let error) = state { return buffer.end(with: error) }
    let watch = WatchState(selection: selection, buffer: buffer, expiry: .distantFuture)
    let id = shared.newID()
    watches[id] = watch
    send(watch, id)
  }

  /// The reader has gone.
  func unwatch(_ buffer: WatchBuffer) {
    for (id, watch) in watches where watch.buffer === buffer { stopWatch(id) }
  }

  /// The caller of `watch` has gone.
  func abandonWatch(_ buffer: WatchBuffer) {
    for (id, watch) in watches where watch.buffer === buffer && watch.opening != nil {
      endWatch(id, with: JobError(.unavailable, "The calling task was cancelled."))
    }
  }

  /// Ends a watch, and the call that would open it, for a reason.
  func endWatch(_ id: UInt64, with error: JobError) {
    let watch = watches[id]
    stopWatch(id)
    watch?.buffer.end(with: error)
    watch?.opening?.resume(returning: error)
  }

  func endWatches(with error: JobError) {
    for id in watches.keys { endWatch(id, with: error) }
  }

  /// The connection is gone: the readers learn that they will miss something.
  func interruptWatches() {
    for (id, watch) in watches {
      watches[id]?.snapshot = []
      if watch.opening == nil { watch.buffer.interrupt() }
    }
  }

  /// There is a new connection. New ids, so that nothing old is mistaken for theirs.
  func reopenWatches() {
    let old = watches
    watches = [:]
    for (_, watch) in old {
      let id = shared.newID()
      watches[id] = watch
      send(watch, id)
    }
  }

  func receiveForWatch(_ response: Response, from handler: ConnectionHandler) {
    let id = response.id
    guard let watch = watches[id] else { return }
    switch response.reply {
    case .snapshot(let jobs, let more, let truncated):
      guard watch.snapshot.count + jobs.count <= Limits.snapshot else {
        return violated(by: handler, "a snapshot of more than \(Limits.snapshot) jobs.")
      }
      watches[id]?.snapshot += jobs
      guard !more else { return }
      let whole = watches[id]?.snapshot ?? []
      watches[id]?.snapshot = []
      watches[id]?.opening = nil
      failures = 0
      deliver(.snapshot(whole, truncated: truncated), to: id)
      watch.opening?.resume(returning: nil)
    case .event(.changed(let job)): deliver(.changed(job), to: id)
    case .event(.deleted(let job)): deliver(.deleted(job), to: id)
    case .event(.resync):
      watch.buffer.interrupt()
      stopWatch(id)
      resumeWatch(watch.selection, into: watch.buffer)
    // The error may be this client's own, about a reply that it can't read: then the broker goes on with the watch.
    case .error(let error): endWatch(id, with: error)
    default:
      violated(by: handler, "it answers a watch with a reply of another kind.")
    }
  }

  /// A reader that is too slow gets nothing more until it has caught up.
  private func deliver(_ event: WatchEvent, to id: UInt64) {
    guard let watch = watches[id] else { return }
    if !watch.buffer.append(event) { stopWatch(id) }
  }

  private func send(_ watch: WatchState, _ id: UInt64) {
    guard case .ready = state else { return }
    do {
      try transmit(id, .watch(watch.selection))
    } catch {
      endWatch(id, with: error)
    }
  }

  private func stopWatch(_ id: UInt64) {
    guard watches.removeValue(forKey: id) != nil, case .ready = state else { return }
    lastEndedWatch = max(lastEndedWatch, id)
    submit(shared.newID(), .unwatch(id: id), for: .nobody, isRepeated: false)
  }
}
