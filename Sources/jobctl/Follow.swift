import ArgumentParser
import Dispatch
import Glibc
import JobBrokerClient
import UnixSignals

/// Follows jobs until all of some are finished, or until a person has seen enough.
struct Follow {
  let client: JobBrokerClient
  let printer: Printer
  /// When these are finished or gone, the following ends; nil: never.
  var until: Set<JobID>?

  /// Follows what a selection covers.
  ///
  /// - Returns: the jobs as they were at the end.
  /// - Throws: `ExitCode` 128 + its number on a signal; the broker's refusal.
  func run(_ selection: WatchSelection) async throws -> Board {
    let watch = try await client.watch(selection)
    return printer.isLive ? try await live(watch) : try await lines(watch)
  }

  private func isOver(_ board: Board) -> Bool {
    until.map(board.areFinished) ?? false
  }

  // MARK: For a script or a log

  /// How many jobs may be known before those that are finished are forgotten.
  private static let leastLimit = 1000

  private func lines(_ watch: JobWatch) async throws -> Board {
    var board = Board()
    var limit = Follow.leastLimit
    for try await event in watch {
      let changed = board.apply(event)
      printer.json ? printJSON(event) : changed.forEach { printLine(JobText.line($0)) }
      if isOver(board) { break }
      if board.jobs.count > limit {
        board.forgetFinished(except: until ?? [])
        // Twice what is left, so that to forget costs little for each job that is forgotten.
        limit = max(2 * board.jobs.count, Follow.leastLimit)
      }
    }
    return board
  }

  private func printLine(_ text: String) {
    StandardStream.output.write(text + "\n")
  }

  private func printJSON(_ event: WatchEvent) {
    func print(_ name: String, _ fill: (inout JSONLine) -> Void = { _ in }) {
      printLine(
        JSONLine {
          $0.add("event", name)
          fill(&$0)
        }.text)
    }
    switch event {
    case .snapshot(let jobs, let truncated):
      for job in jobs { print("snapshot") { $0.add("job", JSONLine(job)) } }
      print("current") { $0.add("truncated", truncated) }
    case .changed(let job): print("changed") { $0.add("job", JSONLine(job)) }
    case .deleted(let id): print("deleted") { $0.add("id", id.description) }
    case .interrupted: print("interrupted")
    }
  }

  // MARK: For a person

  private enum Input {
    case event(WatchEvent)
    case positions([JobID: QueuePosition])
    case tick
    case ended((any Error)?)
    case signal(UnixSignal)
    /// Ctrl-Z.
    case suspension
  }

  /// How often the picture may change: fast enough for the eye, slow enough for the terminal.
  private static let frame: Duration = .milliseconds(100)
  /// How often times and places in the queue are renewed when nothing else happens, in frames.
  private static let framesToRenewal = 10

  /// Nothing is waited for in here but inputs, so that a signal is heard at once, whatever the broker does.
  private func live(_ watch: JobWatch) async throws -> Board {
    let signals = await UnixSignalsSequence.ofEnding(.sigquit)
    let (inputs, feed) = AsyncStream<Input>.makeStream()
    let suspensions = mayBeSuspended ? suspensions(feed) : nil
    defer { suspensions?.cancel() }
    var screen = LiveScreen()
    defer { screen.close() }

    return try await withThrowingDiscardingTaskGroup(returning: Board.self) { group in
      group.addTask {
        do {
          for try await event in watch { feed.yield(.event(event)) }
          feed.yield(.ended(nil))
        } catch {
          feed.yield(.ended(error))
        }
      }
      group.addTask {
        for await signal in signals { feed.yield(.signal(signal)) }
      }
      group.addTask {
        while !Task.isCancelled {
          try? await Task.sleep(for: Follow.frame)
          feed.yield(.tick)
        }
      }
      defer { group.cancelAll() }

      var board = Board()
      var isStale = true
      var frames = 0
      // Whether places in the queue may have changed, and whether the broker is being asked for them.
      var (hasMoved, isAsking) = (true, false)
      drawing: for await input in inputs {
        switch input {
        case .event(let event):
          _ = board.apply(event)
          (isStale, hasMoved) = (true, true)
          if isOver(board) { break drawing }
        case .positions(let positions):
          board.positions = positions
          (isStale, isAsking) = (true, false)
        case .tick:
          frames += 1
          if frames % Follow.framesToRenewal == 0 { (isStale, hasMoved) = (true, true) }
          if hasMoved, !isAsking {
            (hasMoved, isAsking) = (false, true)
            let ids = waiting(board)
            group.addTask { feed.yield(.positions(await positions(of: ids))) }
          }
          guard isStale else { continue }
          draw(board, on: &screen)
          isStale = false
        case .ended(let error):
          if let error { throw error }
          break drawing
        case .signal(let signal): throw ExitStatus.ended(by: signal).exitCode
        case .suspension:
          screen.close()
          raise(SIGSTOP)
          screen = LiveScreen()
          isStale = true
        }
      }
      draw(board, on: &screen)
      return board
    }
  }

  /// Whether there is a shell that could continue what Ctrl-Z has stopped; else the system ignores it (POSIX, orphaned
  /// process groups).
  private var mayBeSuspended: Bool {
    !UnixSignalsSequence.isIgnored(SIGTSTP) && getsid(getppid()) == getsid(0)
  }

  private func suspensions(_ feed: AsyncStream<Input>.Continuation) -> any DispatchSourceSignal {
    let source = DispatchSource.makeSignalSource(signal: SIGTSTP)
    source.setEventHandler { feed.yield(.suspension) }
    source.activate()
    return source
  }

  private func draw(_ board: Board, on screen: inout LiveScreen) {
    screen.draw(board.picture(now: .now, terminal: .current()))
  }

  /// The jobs that a picture shows with their places in the queue.
  private func waiting(_ board: Board) -> [JobID] {
    guard board.isCurrent else { return [] }
    return board.shown(rows: Terminal.current().rows).filter { $0.status == .pending }.map(\.id)
  }

  /// A watch tells of its own jobs; those ahead of them may be others.
  private func positions(of ids: [JobID]) async -> [JobID: QueuePosition] {
    var positions: [JobID: QueuePosition] = [:]
    for id in ids { positions[id] = try? await client.position(id) }
    return positions
  }
}

extension Board {
  /// Names those of these jobs that are not there.
  ///
  /// - Throws: `ExitCode` 1 unless all of them are complete.
  func requireComplete(_ ids: Set<JobID>, _ printer: Printer) throws {
    for id in ids.sorted() where self[id] == nil { printer.note("no such job: \(id)") }
    guard ids.allSatisfy({ self[$0]?.status == .complete }) else { throw ExitStatus.refused.exitCode }
  }
}
