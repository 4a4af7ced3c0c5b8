import JobModel
import Testing

@testable import BrokerCore

@Suite("Leases")
struct LeaseTableTests {
  private var table = LeaseTable()
  private let term: Duration = .seconds(30)
  private let grace: Duration = .seconds(5)
  private let holder = ConnectionID(1)

  private func moment(_ seconds: Int64) -> Moment {
    Moment(steady: .seconds(seconds), wall: Timestamp(milliseconds: 1_000_000 + seconds * 1000))
  }

  private mutating func insert(
    _ number: UInt64, at seconds: Int64 = 0, holder: ConnectionID? = ConnectionID(1)
  ) {
    table.insert(.number(number, attempt: 1), holder: holder, term: term, now: .seconds(seconds))
  }

  @discardableResult
  private mutating func report(
    _ number: UInt64, attempt: Int? = 1, _ update: JobUpdate = JobUpdate(),
    from connection: ConnectionID? = nil,
    at seconds: Int64
  ) -> Job? {
    table.report(
      .number(number), attempt: attempt, update, from: connection ?? holder, now: moment(seconds))
  }

  private mutating func expired(at seconds: Int64) -> [ClaimToken] { table.expire(now: .seconds(seconds)) }

  @Test("run out at the end of their term, once, the first to end first")
  mutating func expiry() {
    insert(2, at: 1)
    insert(1, at: 0)
    #expect(table.nextDeadline == .seconds(30))
    #expect(expired(at: 29) == [])
    #expect(expired(at: 31) == [.number(1), .number(2)])
    #expect(expired(at: 99) == [])
  }

  @Test("are whole again after a heartbeat")
  mutating func heartbeat() {
    insert(1)
    #expect(report(1, at: 29)?.leaseExpiresAt == moment(59).wall)
    #expect(expired(at: 58) == [])
    #expect(expired(at: 59) == [.number(1)])
  }

  @Test("are whole again after a heartbeat that comes late, if nobody noticed")
  mutating func lateHeartbeat() {
    insert(1)
    #expect(report(1, at: 40) != nil)
    #expect(expired(at: 69) == [])
  }

  @Test("are beyond a heartbeat once they ran out")
  mutating func heartbeatAfterExpiry() {
    insert(1)
    _ = expired(at: 30)
    #expect(report(1, at: 30) == nil)
  }

  @Test("do not listen to reports of another attempt, or of no claim")
  mutating func otherAttempt() {
    table.insert(.number(1, attempt: 2), holder: holder, term: term, now: .zero)
    #expect(report(1, attempt: 1, at: 20) == nil)
    #expect(report(1, attempt: 3, at: 20) == nil)
    #expect(report(9, at: 20) == nil)
    #expect(expired(at: 30) == [.number(1, attempt: 2)])
  }

  @Test("are cut to the grace when the holder's connection ends")
  mutating func orphaned() {
    insert(1)
    insert(2, holder: ConnectionID(2))
    table.orphan(holder, grace: grace, now: .seconds(10))
    #expect(expired(at: 14) == [])
    #expect(expired(at: 15) == [.number(1)])
    #expect(expired(at: 30) == [.number(2)])
  }

  @Test("with less than the grace left keep what is left")
  mutating func orphanedLate() {
    insert(1)
    table.orphan(holder, grace: grace, now: .seconds(28))
    #expect(expired(at: 30) == [.number(1)])
  }

  @Test("have their full term again when the holder reports over a new connection, and follow it there")
  mutating func reconnected() {
    insert(1)
    table.orphan(holder, grace: grace, now: .seconds(10))
    report(1, from: ConnectionID(2), at: 12)
    #expect(table[.number(1)]?.holder == ConnectionID(2))
    #expect(expired(at: 41) == [])
    table.orphan(ConnectionID(2), grace: grace, now: .seconds(41))
    #expect(expired(at: 42) == [.number(1)])
  }

  @Test("follow the holder to the connection it made last, whatever an earlier one still brings")
  mutating func lateReport() {
    insert(1, holder: ConnectionID(2))
    report(1, from: ConnectionID(1), at: 1)
    #expect(table[.number(1)]?.holder == ConnectionID(2))
    _ = table.refresh(.number(1, attempt: 1), from: ConnectionID(3), isFenced: true, now: .seconds(2))
    #expect(table[.number(1)]?.holder == ConnectionID(3))
    _ = table.refresh(.number(1, attempt: 1), from: ConnectionID(4), isFenced: false, now: .seconds(3))
    #expect(table[.number(1)]?.holder == ConnectionID(3))
    #expect(expired(at: 32) == [])
    #expect(expired(at: 33) == [.number(1)])
  }

  @Test("are not prolonged by what a connection that ended had asked")
  mutating func refreshedByTheDead() {
    insert(1)
    table.orphan(holder, grace: grace, now: .seconds(1))
    _ = table.refresh(.number(1, attempt: 1), from: nil, isFenced: true, now: .seconds(2))
    #expect(expired(at: 6) == [.number(1)])
  }

  @Test("stay where they are when somebody else, unfenced, gives the sign of life")
  mutating func unfencedReport() {
    insert(1)
    #expect(report(1, attempt: nil, from: ConnectionID(7), at: 20) != nil)
    #expect(table[.number(1)]?.holder == holder)
    #expect(expired(at: 49) == [])
  }

  @Test("show the latest report")
  mutating func reports() {
    insert(1)
    report(1, JobUpdate(progress: 10, stage: .set("fetch")), at: 1)
    let job = report(1, JobUpdate(progress: 20), at: 2)
    #expect(job?.progress == 20)
    #expect(job?.stage == "fetch")
    #expect(job?.updatedAt == moment(2).wall)
    #expect(report(1, JobUpdate(stage: .clear), at: 3)?.stage == nil)
  }

  @Test("hand each report over once, several of one holder as one")
  mutating func coalescing() {
    insert(1)
    insert(2)
    report(1, JobUpdate(progress: 10, stage: .set("fetch")), at: 1)
    report(2, at: 2)
    report(1, JobUpdate(progress: 20), at: 3)
    #expect(table.unwrittenSince == .seconds(1))
    #expect(
      table.takeReports() == [
        HolderReport(
          claim: .number(1), update: JobUpdate(progress: 20, stage: .set("fetch")),
          leaseExpiresAt: moment(33).wall, heardAt: moment(3).wall),
        HolderReport(
          claim: .number(2), update: JobUpdate(), leaseExpiresAt: moment(32).wall, heardAt: moment(2).wall),
      ])
    #expect(table.takeReports() == [])
    #expect(table.unwrittenSince == nil)
  }

  @Test("that ended have nothing to hand over")
  mutating func endedBeforeWritten() {
    insert(1)
    report(1, JobUpdate(progress: 10), at: 1)
    table.remove(.number(1))
    table.insert(.number(1, attempt: 2), holder: holder, term: term, now: .seconds(2))
    #expect(table.takeReports() == [])
    report(1, attempt: 2, JobUpdate(progress: 5), at: 3)
    #expect(table.takeReports().map(\.claim) == [.number(1, attempt: 2)])
  }

  @Test("take over the job as the store shows it, but not over what was reported since")
  mutating func refresh() {
    insert(1)
    report(1, JobUpdate(progress: 40, stage: .set("mix")), at: 1)
    let reports = table.takeReports()
    report(1, JobUpdate(progress: 50), at: 2)
    var shown = table.refresh(
      .number(1, attempt: 1, progress: 10, stage: "fetch"), from: holder, isFenced: true, now: .seconds(3))
    #expect(shown.progress == 50)
    #expect(shown.stage == "mix")
    table.didWrite(reports)
    shown = table.refresh(
      .number(1, attempt: 1, progress: 10, stage: "fetch"), from: holder, isFenced: true, now: .seconds(3))
    #expect(shown.progress == 50)
    #expect(shown.stage == "fetch")
    table.didWrite(table.takeReports())
    #expect(
      table.refresh(.number(1, attempt: 1, progress: 10), from: holder, isFenced: true, now: .seconds(3))
        .progress == 10)
    #expect(expired(at: 32) == [])
  }

  @Test("hand over again what could not be written, behind nothing that came later")
  mutating func notWritten() {
    insert(1)
    report(1, JobUpdate(progress: 10, stage: .set("fetch")), at: 1)
    let first = table.takeReports()
    report(1, JobUpdate(progress: 20), at: 2)
    let second = table.takeReports()
    table.didNotWrite(first, now: .seconds(3))
    table.didWrite(second)
    #expect(table.unwrittenSince == .seconds(3))
    #expect(table.takeReports().map(\.update) == [JobUpdate(progress: 20, stage: .set("fetch"))])
  }

  @Test("do not run out before the postponed moment, even with a shorter one among them")
  mutating func postponed() {
    insert(1)
    table.postpone(to: .seconds(40))
    table.insert(.number(2, attempt: 1), holder: holder, term: .seconds(1), now: .seconds(35))
    #expect(table.nextDeadline == .seconds(40))
    #expect(expired(at: 39) == [])
    report(1, at: 39)
    #expect(expired(at: 40) == [.number(2)])
    #expect(table.nextDeadline == .seconds(69))
  }

  @Test("that the store could not end run out again, unless the holder is heard from")
  mutating func resumed() {
    insert(1)
    insert(2)
    _ = expired(at: 30)
    table.resume(.number(1), deadline: .seconds(31))
    table.resume(.number(2), deadline: .seconds(31))
    #expect(report(2, at: 30) != nil)
    #expect(expired(at: 31) == [.number(1)])
  }

  @Test("are ended once, and by their own token only")
  mutating func ended() {
    table.insert(.number(1, attempt: 2), holder: holder, term: term, now: .zero)
    #expect(table.end(.number(1, attempt: 1)) == false)
    #expect(table.end(.number(1, attempt: 2)) == true)
    #expect(table.end(.number(1, attempt: 2)) == false)
    #expect(report(1, attempt: 2, at: 1) == nil)
    #expect(expired(at: 99) == [])
  }

  @Test("know whose holders were heard from since a moment")
  mutating func heard() {
    insert(1)
    insert(2, at: 10)
    report(1, at: 20)
    #expect(table.heard(since: .seconds(15)) == [.number(1)])
    #expect(Set(table.heard(since: .seconds(9))) == [.number(1), .number(2)])
    #expect(table.heard(since: .seconds(20)) == [])
  }
}
