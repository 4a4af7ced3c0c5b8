import Foundation
import Testing

/// Cuts the power at any moment. `JOBBROKER_POWER_CUT_IMAGES` says how often, `JOBBROKER_POWER_CUT_SEED` where to
/// begin.
@Suite(.serialized) struct PowerCutTests {
  private static let environment = ProcessInfo.processInfo.environment
  private static let images = environment["JOBBROKER_POWER_CUT_IMAGES"].flatMap(Int.init) ?? 240
  private static let seed = environment["JOBBROKER_POWER_CUT_SEED"].flatMap(UInt64.init) ?? 1

  @Test func `a power cut loses nothing that was acknowledged and leaves nothing half done`() async throws {
    var campaign = Campaign()
    var seed = Self.seed
    while campaign.tally.images < Self.images {
      try await campaign.run(seed: seed)
      seed += 1
    }
    let tally = campaign.tally
    print(
      "trust | no power cut loses what was acknowledged | \(tally.images) crash images, "
        + "\(tally.checkpoints) checkpoints, seeds \(Self.seed)–\(seed - 1) | \(tally.acknowledgedCreates) creates, "
        + "\(tally.acknowledgedFinishes) finishes | \(tally.violations.count)")
    #expect(tally.violations.isEmpty, "\(tally.violations.prefix(10).joined(separator: "\n"))")
    #expect(tally.checkpoints > 10)
    #expect(tally.acknowledgedFinishes > Self.images)
  }

  @Test(arguments: Campaign.Omission.allCases)
  func `a sync left out is noticed`(omission: Campaign.Omission) async throws {
    var campaign = Campaign(omitting: omission)
    var seed = Self.seed
    while campaign.tally.violations.isEmpty, seed < Self.seed + 25 {
      // A life that begins on what such a disk has left may not begin at all.
      do { try await campaign.run(seed: seed) } catch { #expect(!campaign.tally.violations.isEmpty) }
      seed += 1
    }
    let tally = campaign.tally
    print(
      "trust | (control) without \(omission) something is lost | \(tally.images) crash images | "
        + "\(tally.violations.first ?? "nothing is") | \(tally.violations.isEmpty ? 1 : 0)")
    #expect(!tally.violations.isEmpty)
  }
}
