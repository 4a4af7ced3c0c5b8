import Testing
import TrustSupport

/// Cuts the power at any moment. `JOBBROKER_POWER_CUT_IMAGES` says how often, `JOBBROKER_POWER_CUT_SEED` where to
/// begin.
@Suite(.serialized) struct PowerCutTests {
  private static let images = CampaignSize.number("JOBBROKER_POWER_CUT_IMAGES", short: 240)
  private static let seed = CampaignSize.seed("JOBBROKER_POWER_CUT_SEED", short: 1)

  @Test func `a power cut loses nothing that was acknowledged and leaves nothing half done`() async throws {
    var campaign = Campaign()
    var seed = Self.seed
    while campaign.tally.images < Self.images {
      try await campaign.run(seed: seed)
      seed += 1
    }
    let tally = campaign.tally
    CampaignOutcome(
      promise: "a power cut loses nothing acknowledged",
      done: "unsynced writes missing, torn, reordered; \(tally.checkpoints) checkpoints",
      count: "\(tally.images) crash images, \(tally.acknowledgedCreates) creates, "
        + "\(tally.acknowledgedFinishes) finishes",
      violations: tally.violations.count, seed: "\(Self.seed)–\(seed - 1)"
    ).report()
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
    CampaignOutcome(
      promise: "(control) a sync left out is noticed", done: "left out: \(omission)",
      count: "within \(tally.images) crash images", violations: tally.violations.isEmpty ? 1 : 0,
      seed: "\(Self.seed)–\(seed - 1)"
    ).report()
    #expect(!tally.violations.isEmpty)
  }
}
