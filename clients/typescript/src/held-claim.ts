import type { ClaimKeeper } from "./claim-keeper.js";
import { JobBrokerError } from "./errors.js";
import type { ClaimToken } from "./job.js";

/** What a holder says it is doing. */
export interface Report {
  /** At most 256 bytes; null: none. */
  stage?: string | null;
  /** 0–100 within the stage. */
  progress?: number;
}

/** How to hold a claim. Held more than once, it is heartbeaten as often as any of its holders asked for. */
export interface HoldOptions {
  /** The lease it was claimed with, in milliseconds; default 30,000. A heartbeat goes out at once and every third of it. */
  leaseMs?: number;
  /** False: no heartbeats but the one that keeps the claim when a lost connection was made again. Default true. */
  heartbeats?: boolean;
}

const longestStage = 256;

/** A claim that the client looks after: it heartbeats it and tells when it is no longer valid. */
export class HeldClaim {
  /** The job's, as the broker's answers write it: in lower case, with dashes. */
  readonly id: string;
  readonly attempt: number;
  /** Aborted, with a ClaimRevoked as reason, when the job was taken away; also when the client is closed. */
  readonly signal: AbortSignal;
  private readonly controller = new AbortController();

  /** @internal */
  constructor(private readonly keeper: ClaimKeeper, token: ClaimToken) {
    this.id = token.id;
    this.attempt = token.attempt;
    this.signal = this.controller.signal;
  }

  /**
   * Says what the holder is doing. Returns at once: reports that come faster than the broker answers are merged, the
   * latest wins.
   *
   * @throws JobBrokerError INVALID_ARGUMENT for a value out of range; STALE_CLAIM when the job was taken away.
   */
  report(report: Report): void {
    const { progress, stage } = report;
    if (progress !== undefined && !(progress >= 0 && progress <= 100)) {
      throw new JobBrokerError("INVALID_ARGUMENT", `progress is ${progress}; it must be 0 to 100`);
    }
    if (typeof stage === "string" && (Buffer.byteLength(stage) > longestStage || stage.includes("\0"))) {
      throw new JobBrokerError("INVALID_ARGUMENT", `stage must be at most ${longestStage} bytes, none of them 0`);
    }
    if (this.signal.aborted) throw this.signal.reason;
    this.keeper.report(this, report);
  }

  /**
   * Leaves the claim alone: no heartbeats any more. The job stays claimed until its lease runs out. A claim that was held
   * more than once goes on until it was dropped as often; each holder drops it once.
   */
  drop(): void {
    this.keeper.drop(this);
  }

  /** Whether it is neither revoked nor dropped by all who held it. */
  get isHeld(): boolean {
    return this.keeper.holds(this);
  }

  /** @internal */
  end(reason: unknown): void {
    this.controller.abort(reason);
  }
}
