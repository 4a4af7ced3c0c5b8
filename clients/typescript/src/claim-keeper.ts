import { ClaimRevoked, JobBrokerError } from "./errors.js";
import { HeldClaim } from "./held-claim.js";
import type { HoldOptions, Report } from "./held-claim.js";
import type { ClaimToken } from "./job.js";
import { formatJobId } from "./job-id.js";
import { wireId, wireUpdate } from "./requests.js";
import type { Session } from "./session.js";
import type { Timer } from "./time.js";

const defaultLeaseMs = 30_000;

/** A claim in force. */
interface Hold {
  claim: HeldClaim;
  /** How often it was held and not dropped yet. */
  holders: number;
  /** How often to heartbeat: a third of the lease, for two heartbeats may be lost. Infinity: never. */
  intervalMs: number;
  /** Reported and not sent yet; later reports are merged into it. */
  report: Report;
  /** Sent and not answered yet. */
  underway: Report | undefined;
  timer: Timer | undefined;
}

/**
 * Revocations that came before anybody asked for them are kept for the caller that is about to: a notice can overtake
 * the claim's own reply on its way to the caller.
 */
const unheardLimit = 200;

/** Keeps claims alive: heartbeats, reports, and the news that a claim is no longer valid. */
export class ClaimKeeper {
  private readonly inForce = new Map<string, Hold>();
  private readonly unheard = new Map<string, ClaimRevoked>();
  private ending: JobBrokerError | undefined;

  constructor(private readonly session: Session) {}

  /**
   * Holds a claim until it is dropped or revoked. Held twice, the claim is the same, and is to be dropped twice; it is
   * heartbeaten as often as the most careful of its holders wants.
   *
   * @param isNew whether its lease has just begun, on this connection.
   */
  hold({ id, attempt }: ClaimToken, options: HoldOptions, isNew: boolean): HeldClaim {
    // However the caller writes the id, notices must find the claim.
    const token = { id: formatJobId(wireId(id)), attempt };
    let hold = this.inForce.get(key(token));
    if (hold) {
      hold.holders += 1;
    } else {
      const claim = new HeldClaim(this, token);
      const over = this.unheard.get(key(token)) ?? this.ending;
      if (over) {
        claim.end(over);
        return claim;
      }
      hold = { claim, holders: 1, intervalMs: Infinity, report: {}, underway: undefined, timer: undefined };
      this.inForce.set(key(token), hold);
    }
    const intervalMs = options.heartbeats === false ? Infinity : (options.leaseMs ?? defaultLeaseMs) / 3;
    if (intervalMs < hold.intervalMs) {
      hold.intervalMs = intervalMs;
      clearTimeout(hold.timer);
      this.scheduleHeartbeat(hold);
      // Its lease may be nearly over, and a broker that has seen a new connection waits for its sign of life.
      if (!isNew && hold.underway === undefined) this.send(hold);
    }
    return hold.claim;
  }

  holds(claim: HeldClaim): boolean {
    return this.inForce.get(key(claim))?.claim === claim;
  }

  /** One of its holders leaves the claim alone; the last one ends its heartbeats. */
  drop(claim: HeldClaim): void {
    const hold = this.inForce.get(key(claim));
    // Dropped before, and held anew since: that is another's.
    if (hold?.claim !== claim) return;
    hold.holders -= 1;
    if (hold.holders === 0) this.forget(hold);
  }

  private forget(hold: Hold): void {
    clearTimeout(hold.timer);
    this.inForce.delete(key(hold.claim));
  }

  /** Sends a report, or merges it into the one that waits for the last one's answer. */
  report(token: ClaimToken, report: Report): void {
    const hold = this.inForce.get(key(token));
    if (hold === undefined) return;
    hold.report = merged(hold.report, report);
    if (hold.underway === undefined) this.send(hold);
  }

  /** Heartbeats every claim at once. */
  renewAll(): void {
    for (const hold of this.inForce.values()) {
      if (hold.underway === undefined) this.send(hold);
    }
  }

  /** A claim is no longer valid: tells whoever holds it. */
  revoke(revocation: ClaimRevoked): void {
    const token = revocation.claim;
    const hold = this.inForce.get(key(token));
    if (hold) {
      this.forget(hold);
      return hold.claim.end(revocation);
    }
    this.unheard.set(key(token), revocation);
    for (const oldest of this.unheard.keys()) {
      if (this.unheard.size <= unheardLimit) break;
      this.unheard.delete(oldest);
    }
  }

  /** The client was closed. */
  end(error: JobBrokerError): void {
    this.ending = error;
    for (const hold of [...this.inForce.values()]) {
      this.forget(hold);
      hold.claim.end(error);
    }
  }

  private scheduleHeartbeat(hold: Hold): void {
    hold.timer = setTimeout(() => {
      if (hold.underway === undefined) this.send(hold);
      this.scheduleHeartbeat(hold);
    }, hold.intervalMs);
  }

  private send(hold: Hold): void {
    const { claim } = hold;
    const sent = hold.report;
    hold.underway = sent;
    hold.report = {};
    const update = { ...wireUpdate(sent), id: wireId(claim.id), attempt: claim.attempt };
    // Not repeated, nor left in line: the next connection begins with a heartbeat of its own, which carries the report.
    this.session.call({ update }, { first: true, repeated: false }).then(
      () => {
        hold.underway = undefined;
        if (this.holds(hold.claim) && Object.keys(hold.report).length > 0) this.send(hold);
      },
      (error: unknown) => {
        hold.underway = undefined;
        if (this.holds(hold.claim)) this.refused(hold, sent, error);
      });
  }

  private refused(hold: Hold, sent: Report, error: unknown): void {
    if (!(error instanceof JobBrokerError)) throw error;
    switch (error.code) {
      case "STALE_CLAIM": case "JOB_FINISHED": case "NOT_FOUND":
        return this.revoke(new ClaimRevoked(hold.claim, error.job?.status, error.message));
      case "INVALID_ARGUMENT": case "UNSUPPORTED": case "PERMISSION_DENIED":
        return this.session.settings.logger.warn(`jobbroker: report on job ${hold.claim.id} refused: ${error.message}`);
      default:
        // It goes with the next heartbeat.
        hold.report = merged(sent, hold.report);
    }
  }
}

function key(token: ClaimToken): string {
  return `${token.id}#${token.attempt}`;
}

/** What two reports come to: undefined fields say nothing. */
function merged(earlier: Report, later: Report): Report {
  const both = { ...earlier };
  if (later.stage !== undefined) both.stage = later.stage;
  if (later.progress !== undefined) both.progress = later.progress;
  return both;
}
