import JobBrokerClient
import Testing

@testable import jobctl

@Suite struct BoardTests {
  private let start = Timestamp(milliseconds: 1_700_000_000_000)

  private func job(_ number: UInt64, _ status: JobStatus = .pending, progress: Double = 0) -> Job {
    var job = Job(
      id: JobID(high: 0x0193_A5B2_7C1D_7000, low: 0x8000_0000_0000_0000 | number), type: "ingest",
      status: status, createdAt: start, updatedAt: start)
    job.progress = progress
    if status != .pending { job.startedAt = start }
    return job
  }

  @Test func followsEventsInTheOrderJobsWereSeen() {
    var board = Board()
    _ = board.apply(.snapshot([job(1), job(2)], truncated: false))
    #expect(board.apply(.changed(job(1, .processing))) == [job(1, .processing)])
    _ = board.apply(.changed(job(3)))
    _ = board.apply(.deleted(job(2).id))
    #expect(board.jobs == [job(1, .processing), job(3)])
    #expect(board[job(2).id] == nil)
    #expect(board[job(3).id] == job(3))
  }

  @Test func aSnapshotAfterAnInterruptionIsTheWholeTruth() {
    var board = Board()
    _ = board.apply(.snapshot([job(1), job(2)], truncated: false))
    _ = board.apply(.interrupted)
    #expect(!board.areFinished([job(1).id]))
    let changed = board.apply(.snapshot([job(3), job(2, .complete)], truncated: false))
    #expect(changed == [job(3), job(2, .complete)])
    #expect(board.jobs == [job(2, .complete), job(3)])
  }

  @Test func jobsThatAreGoneAreFinished() {
    var board = Board()
    let ids = [job(1).id, job(2).id]
    #expect(!board.areFinished(ids))
    _ = board.apply(.snapshot([job(1)], truncated: false))
    #expect(!board.areFinished(ids))
    _ = board.apply(.changed(job(1, .cancelled)))
    #expect(board.areFinished(ids))
  }

  @Test func forgetsWhatIsFinishedUnlessItIsWaitedFor() {
    var board = Board()
    let jobs = [job(1, .complete), job(2), job(3, .failed), job(4, .processing)]
    _ = board.apply(.snapshot(jobs, truncated: false))
    board.forgetFinished(except: [job(3).id])
    #expect(board.jobs == [job(2), job(3, .failed), job(4, .processing)])
    #expect(board[job(1).id] == nil && board[job(4).id] == job(4, .processing))
  }

  @Test func unfinishedJobsAreShownFirstWhenThereIsLittleRoom() {
    var board = Board()
    let jobs = (0..<6).map { job($0, $0 < 4 ? .complete : .pending) }
    _ = board.apply(.snapshot(jobs, truncated: false))
    #expect(board.shown(rows: 3).map(\.id) == [jobs[3], jobs[4], jobs[5]].map(\.id))
    #expect(board.shown(rows: 1).map(\.id) == [jobs[4].id])
  }

  @Test func thePictureFitsTheTerminalAndTellsThePlaceInTheQueue() throws {
    var board = Board()
    var running = job(1, .processing, progress: 40)
    running.stage = "down\u{1B}[31mloading" + String(repeating: "!", count: 200)
    _ = board.apply(.snapshot([running, job(2)], truncated: false))
    board.positions[job(2).id] = QueuePosition(overall: 3, inType: 1)
    let terminal = Terminal(isInteractive: true, columns: 140, rows: 10)
    let picture = board.picture(now: start + .seconds(5), terminal: terminal)
    try #require(picture.count == 3)
    #expect(picture.allSatisfy { $0.count <= 140 && !$0.contains("\u{1B}") })
    #expect(picture[0].contains("40 %") && picture[0].contains("5.0 s") && picture[0].contains("down?"))
    #expect(picture[1].contains("3 ahead"))
    #expect(picture[2] == "1 pending, 1 processing")

    running.stage = String(repeating: "録", count: 200)
    _ = board.apply(.changed(running))
    #expect(board.picture(now: start, terminal: terminal).allSatisfy { $0.columns <= 140 })

    let narrow = Terminal(isInteractive: true, columns: 30, rows: 10)
    #expect(board.picture(now: start, terminal: narrow).allSatisfy { $0.count <= 30 })
  }
}
