import type { PendingRequest } from "./pending.js";

const placesKept = 8;
/**
 * Bytes of the requests in flight beyond which only urgent ones are sent. The broker stops reading at twice as many.
 */
const unansweredLimit = 8 << 20;

/** The places that long requests may take, so that short ones need not wait for them. Of few, half are kept. */
function mostOf(places: number): number {
  return places - Math.min(placesKept, Math.floor(places / 2));
}

/**
 * The requests in line for being sent, and the places among those in flight, as many as the broker allows.
 *
 * Ordinary requests leave some places to the urgent ones: while the broker can't commit, it answers these alone. And the
 * claims that may wait leave some of their places to the other ordinary ones.
 */
export class Line {
  /** How many requests may be in flight. */
  places = 1;
  private inFlight = 0;
  /** Claims in flight that may wait. */
  private waiting = 0;
  /** Bytes in flight. */
  private unanswered = 0;
  /** In order; the urgent ones go first. */
  private readonly ordinary = new Set<PendingRequest>();
  private readonly urgent = new Set<PendingRequest>();
  /** Claims whose turn came while there was no place for one that waits. They are the first when there is. */
  private readonly aside = new Set<PendingRequest>();

  /** Puts a request into line; `first`: before the others. */
  add(request: PendingRequest, first = false): void {
    request.stage = "queued";
    (first ? this.urgent : this.ordinary).add(request);
  }

  /** Drops a request that is not in flight. */
  forget(request: PendingRequest): void {
    for (const queue of [this.ordinary, this.urgent, this.aside]) queue.delete(request);
  }

  /** The frame of the next request, which is in flight now; undefined when there is none, or no place for it. */
  next(): Buffer | undefined {
    const request = this.nextUrgent() ?? this.nextOrdinary();
    if (request === undefined) return undefined;
    const frame = request.takeFrame();
    request.stage = "sent";
    request.size = frame.length;
    this.inFlight += 1;
    this.unanswered += request.size;
    if (request.mayWait) this.waiting += 1;
    return frame;
  }

  private nextUrgent(): PendingRequest | undefined {
    return this.inFlight < this.places ? take(this.urgent) : undefined;
  }

  private nextOrdinary(): PendingRequest | undefined {
    if (this.inFlight >= mostOf(this.places) || this.unanswered >= unansweredLimit) return undefined;
    const canWait = this.waiting < mostOf(mostOf(this.places));
    if (canWait && this.aside.size > 0) return take(this.aside);
    let request = take(this.ordinary);
    while (request?.mayWait && !canWait) {
      this.aside.add(request);
      request = take(this.ordinary);
    }
    return request;
  }

  /** A request is no longer in flight: it was answered. */
  answered(request: PendingRequest): void {
    this.inFlight -= 1;
    this.unanswered -= request.size;
    if (request.mayWait) this.waiting -= 1;
  }

  /** Nothing is in line or in flight any more: the connection is gone. */
  clear(): void {
    for (const queue of [this.ordinary, this.urgent, this.aside]) queue.clear();
    this.inFlight = this.waiting = this.unanswered = 0;
  }
}

/** The first of a queue, taken out. */
function take(queue: Set<PendingRequest>): PendingRequest | undefined {
  for (const request of queue) {
    queue.delete(request);
    return request;
  }
  return undefined;
}
