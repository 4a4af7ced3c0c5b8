import Foundation
import StoreModel
import Testing
import TrustSupport

/// Runs the core against a model of its surroundings. `JOBBROKER_SIMULATION_SEEDS` says how many runs, and
/// `JOBBROKER_SIMULATION_SEED` picks a single one, to look at a failure.
///
/// Each run lets other tests have the thread: there are only as many as cores, and theirs wait for events.
@Suite("The core, among clients that die, stall, repeat themselves and come back")
struct SimulationTests {
  private static let environment = ProcessInfo.processInfo.environment
  private static let seeds = UInt64(CampaignSize.number("JOBBROKER_SIMULATION_SEEDS", short: 2_000))
  private static let seed = environment["JOBBROKER_SIMULATION_SEED"].flatMap(UInt64.init)
  private static let parts: UInt64 = 4

  /// Seeds of a part of the runs; all of them are one seed when that is asked for.
  private static func seeds(ofPart part: UInt64) -> StrideTo<UInt64> {
    if let seed { return stride(from: seed, to: part == 0 ? seed + 1 : seed, by: 1) }
    return stride(from: part, to: seeds, by: UInt64.Stride(parts))
  }

  @Test("breaks no rule, whatever the order of events")
  func holds() async {
    let broken = await withTaskGroup(of: Int.self) { group in
      for part in 0..<SimulationTests.parts {
        group.addTask { await SimulationTests.broken(in: SimulationTests.seeds(ofPart: part)) }
      }
      return await group.reduce(0, +)
    }
    CampaignOutcome(
      promise: "the core keeps every rule in any order of events",
      done: "clients crash, stall, repeat themselves; broker restarts; clocks jump",
      count: SimulationTests.seed == nil ? "\(SimulationTests.seeds) runs" : "1 run", violations: broken,
      seed: SimulationTests.seed.map { "\($0)" } ?? "0–\(SimulationTests.seeds - 1)"
    ).report()
  }

  /// How many runs break a rule; the first is told in full.
  private static func broken(in seeds: StrideTo<UInt64>) async -> Int {
    var broken = 0
    for seed in seeds {
      await Task.yield()
      guard let rule = Simulation(seed: seed).run() else { continue }
      broken += 1
      if broken > 1 { continue }
      let again = Simulation(seed: seed, isTraced: true)
      _ = again.run()
      let trace = again.trace.suffix(40).joined(separator: "\n")
      Issue.record("seed \(seed): \(rule)\n\(trace)\nRepeat with JOBBROKER_SIMULATION_SEED=\(seed)")
    }
    return broken
  }

  @Test("follows from the seed alone", arguments: 0..<20 as Range<UInt64>)
  func isDeterministic(seed: UInt64) async {
    await Task.yield()
    let runs = (0..<2).map { _ in Simulation(seed: seed, isTraced: true) }
    #expect(runs[0].run() == runs[1].run())
    #expect(runs[0].trace == runs[1].trace)
  }

  @Test("would notice a fault, within 1,000 runs", arguments: Fault.allCases)
  func notices(fault: Fault) async {
    var seed: UInt64?
    for candidate in 0..<1_000 as Range<UInt64> where seed == nil {
      await Task.yield()
      if Simulation(seed: candidate, fault: fault).run() != nil { seed = candidate }
    }
    #expect(seed != nil, "no run noticed \(fault)")
    CampaignOutcome(
      promise: "(control) the simulation notices a fault", done: "planted: \(fault)",
      count: seed.map { "found by run \($0 + 1)" } ?? "not found", violations: seed == nil ? 1 : 0,
      seed: "0–999"
    ).report()
  }

  @Test("goes through everything that it is there for")
  func coverage() async {
    var seen: [String: Int] = [:]
    for seed in 0..<300 as Range<UInt64> {
      await Task.yield()
      let simulation = Simulation(seed: seed)
      _ = simulation.run()
      seen.merge(simulation.auditor.seen, uniquingKeysWith: +)
    }
    let expected = [
      "STALE_CLAIM", "JOB_FINISHED", "NOT_FOUND", "already so", "claim answered with jobs",
      "claim answered with nothing", "claim found nothing", "claim ran out", "claim could not be ended",
      "job reaped", "reap in parts", "kill", "late holder finished", "power cut", "promotion",
      "report in memory", "resync", "revocation", "stall", "undelivered claim given back", "worker crashed",
      "worker stood still",
    ]
    for event in expected { #expect(seen[event, default: 0] > 0, "never happened: \(event)") }
  }
}
