import { JobBrokerError } from "./errors.js";
import type { Reply } from "./replies.js";
import { isRepeatable } from "./requests.js";
import type { Operation } from "./requests.js";
import { encodeRequest } from "./wire/codec.js";

/** How a request is to be treated. */
export interface Treatment {
  /** Ends the call; the promise is rejected with the signal's reason. */
  signal?: AbortSignal;
  /** Ends the wait of a claim, not the call: the claim is answered with what it has found. */
  waitsUntil?: AbortSignal;
  /** The kind of reply that it must get; without one any will do. */
  expected?: Reply["kind"];
  /** Before the others. */
  first?: boolean;
  /**
   * Whether it is sent again when its connection is lost; default: when that is safe. False: it is about this
   * connection, and of no use on the next even if it had not been sent.
   */
  repeated?: boolean;
}

export function unexpectedReply(): JobBrokerError {
  return new JobBrokerError("INTERNAL", "the broker answered with a reply of another kind");
}

/** A request that has no reply yet. */
export class PendingRequest {
  /**
   * - `queued`: in line for a connection and a place among the requests in flight;
   * - `sent`: on its way, or with the broker;
   * - `parked`: a claim that a draining broker refused, resting before its next try.
   */
  stage: "queued" | "sent" | "parked" = "queued";
  /** The caller has gone; the reply is still counted, and a job that comes with it is given back. */
  isAbandoned = false;
  /** Whether it is sent again when its connection is lost. */
  isRepeated: boolean;
  /** Bytes of the frame that was sent. */
  size = 0;
  /** How long the caller waits for the reply, and when that time is over (`performance.now()`), in milliseconds. */
  readonly patienceMs: number;
  expiry: number;
  /** Whether sending it twice comes to the same as once. */
  private readonly isSafe: boolean;
  private readonly waitEnds: number | undefined;
  private frame: Buffer | undefined;
  private readonly watched: [AbortSignal, () => void][] = [];

  constructor(
    readonly id: number, readonly operation: Operation, private readonly treatment: Treatment,
    timeoutMs: number, private readonly resolve: (reply: Reply) => void,
    private readonly reject: (reason: unknown) => void,
  ) {
    this.isSafe = isRepeatable(operation);
    this.isRepeated = treatment.repeated ?? this.isSafe;
    const wait = Number(operation.claim?.wait_ms ?? 0);
    const now = performance.now();
    this.waitEnds = wait > 0 ? now + wait : undefined;
    this.patienceMs = timeoutMs + wait;
    this.expiry = now + this.patienceMs;
    // Written now, so that the caller learns at once of what the protocol can't say.
    const frame = encodeRequest({ id, ...operation });
    if (this.waitEnds === undefined) this.frame = frame;
  }

  /** What to send. A claim waits only for what is left of its time. */
  takeFrame(): Buffer {
    const frame = this.frame ?? encodeRequest({ id: this.id, ...this.operation, ...this.rest() });
    // Only what may be sent again is kept.
    if (!this.isRepeated) this.frame = undefined;
    return frame;
  }

  private rest(): Operation {
    if (this.waitEnds === undefined) return {};
    return { claim: { ...this.operation.claim, wait_ms: Math.max(0, Math.ceil(this.waitEnds - performance.now())) } };
  }

  /** Whether it is a claim that the broker may keep waiting. */
  get mayWait(): boolean {
    return this.waitEnds !== undefined;
  }

  /** Whether it is not sent yet, and is of use on the next connection. */
  get outlastsConnection(): boolean {
    return this.stage !== "sent" && this.treatment.repeated !== false;
  }

  /** Calls `abandon` when the caller has gone, `endWait` when it wants what a claim has found. */
  watchCaller(abandon: (reason: unknown) => void, endWait: () => void): void {
    const { signal, waitsUntil } = this.treatment;
    if (signal) this.onAbort(signal, () => abandon(signal.reason));
    if (waitsUntil) this.onAbort(waitsUntil, endWait);
  }

  private onAbort(signal: AbortSignal, listener: () => void): void {
    signal.addEventListener("abort", listener, { once: true });
    this.watched.push([signal, listener]);
  }

  private settle(): void {
    for (const [signal, listener] of this.watched) signal.removeEventListener("abort", listener);
  }

  /** Hands over the reply. */
  finish(reply: Reply): void {
    this.settle();
    const { expected } = this.treatment;
    if (reply.kind === "error") this.reject(reply.error);
    else if (expected !== undefined && reply.kind !== expected) this.reject(unexpectedReply());
    else this.resolve(reply);
  }

  /** There will be no reply. */
  fail(reason: unknown): void {
    this.settle();
    this.reject(reason);
  }

  /** What to tell a caller whose reply will not come. */
  interruption(reason: string): JobBrokerError {
    return this.stage === "sent" && !this.isSafe
      ? new JobBrokerError(
        "UNKNOWN_OUTCOME", `${reason}; the request may have been carried out: read the job before repeating it`)
      : new JobBrokerError("UNAVAILABLE", `${reason}; the request may be repeated`);
  }
}
