import JobModel
import Testing

@Suite("Updates that only report")
struct JobUpdateTests {
  @Test("are told from those that change what must not be lost")
  func isReport() {
    #expect(JobUpdate().isReport)
    #expect(JobUpdate(progress: 1, stage: .clear).isReport)
    #expect(!JobUpdate(status: .processing).isReport)
    #expect(!JobUpdate(result: "{}").isReport)
    #expect(!JobUpdate(error: "").isReport)
    #expect(!JobUpdate(retryCount: 0).isReport)
  }

  @Test("come to the later of each field, and to the earlier where the later says nothing")
  func followed() {
    let first = JobUpdate(progress: 10, stage: .set("fetch"))
    #expect(first.followed(by: JobUpdate()) == first)
    #expect(JobUpdate().followed(by: first) == first)
    #expect(first.followed(by: JobUpdate(progress: 20)) == JobUpdate(progress: 20, stage: .set("fetch")))
    #expect(first.followed(by: JobUpdate(stage: .set("mix"))) == JobUpdate(progress: 10, stage: .set("mix")))
    #expect(first.followed(by: JobUpdate(progress: 0)) == JobUpdate(progress: 0, stage: .set("fetch")))
  }

  @Test("clear a stage set before, and set one cleared before")
  func clearing() {
    let set = JobUpdate(stage: .set("fetch"))
    let clear = JobUpdate(stage: .clear)
    #expect(set.followed(by: clear) == clear)
    #expect(clear.followed(by: set) == set)
    #expect(clear.followed(by: JobUpdate(progress: 5)) == JobUpdate(progress: 5, stage: .clear))
  }

  @Test("come to the same however they are grouped")
  func associativity() {
    let updates = [
      JobUpdate(), JobUpdate(progress: 1), JobUpdate(stage: .clear), JobUpdate(progress: 2, stage: .set("a")),
      JobUpdate(stage: .set("b")),
    ]
    for a in updates {
      for b in updates {
        for c in updates {
          #expect(a.followed(by: b).followed(by: c) == a.followed(by: b.followed(by: c)))
        }
      }
    }
  }
}

@Suite("What is selected")
struct SelectionTests {
  private let one = JobID(high: 0, low: 1)
  private let two = JobID(high: 0, low: 2)

  @Test("by a watch of nothing in particular is every job")
  func everything() {
    #expect(WatchSelection().covers(id: one, type: "save"))
  }

  @Test("by ids is those jobs, whatever their type")
  func ids() {
    let selection = WatchSelection(ids: [one])
    #expect(selection.covers(id: one, type: "save"))
    #expect(!selection.covers(id: two, type: "save"))
  }

  @Test("by types is every job of them")
  func types() {
    let selection = WatchSelection(types: ["save"])
    #expect(selection.covers(id: one, type: "save"))
    #expect(!selection.covers(id: one, type: "ingest"))
  }

  @Test("by types tells apart those that differ only in how a letter is encoded")
  func typesByBytes() {
    let selection = WatchSelection(types: ["caf\u{e9}", "cafe\u{301}"])
    #expect(selection.types.count == 2)
    #expect(!WatchSelection(types: ["caf\u{e9}"]).covers(id: one, type: "cafe\u{301}"))
  }

  @Test("by ids and types is what either covers")
  func either() {
    let selection = WatchSelection(ids: [one], types: ["save"])
    #expect(selection.covers(id: one, type: "ingest"))
    #expect(selection.covers(id: two, type: "save"))
    #expect(!selection.covers(id: two, type: "ingest"))
  }

  @Test("by a claim of no type is any job, by one of types those")
  func claims() {
    #expect(ClaimRequest().accepts(type: "save"))
    #expect(ClaimRequest(types: ["save", "ingest"]).accepts(type: "ingest"))
    #expect(!ClaimRequest(types: ["save"]).accepts(type: "ingest"))
  }
}

@Suite("Statuses")
struct JobStatusTests {
  @Test("are finished when only retry and deletion can change the job")
  func finished() {
    #expect(JobStatus.allCases.filter(\.isFinished) == [.complete, .failed, .cancelled])
  }
}
