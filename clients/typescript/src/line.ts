import type { PendingRequest } from "./pending.js";

/** Claims may wait long, so they leave some places among the requests in flight to others: of few places, half. */
const placesForOthers = 16;

/** The requests in line for being sent, and the places among those in flight, as many as the broker allows. */
export class Line {
  /** How many requests may be in flight. */
  places = 1;
  private inFlight = 0;
  /** Claims in flight that may wait. */
  private waiting = 0;
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

  /** The next request to send, now in flight; undefined when there is none, or no place for it. */
  next(): PendingRequest | undefined {
    while (this.inFlight < this.places) {
      const request = (this.hasPlaceToWait ? take(this.aside) : undefined) ?? take(this.urgent) ?? take(this.ordinary);
      if (request === undefined) break;
      if (request.mayWait) {
        if (!this.hasPlaceToWait) {
          this.aside.add(request);
          continue;
        }
        this.waiting += 1;
      }
      request.stage = "sent";
      this.inFlight += 1;
      return request;
    }
    return undefined;
  }

  private get hasPlaceToWait(): boolean {
    return this.waiting < this.places - Math.min(placesForOthers, Math.floor(this.places / 2));
  }

  /** A request is no longer in flight: it was answered. */
  answered(request: PendingRequest): void {
    this.inFlight -= 1;
    if (request.mayWait) this.waiting -= 1;
  }

  /** Nothing is in line or in flight any more: the connection is gone. */
  clear(): void {
    for (const queue of [this.ordinary, this.urgent, this.aside]) queue.clear();
    this.inFlight = this.waiting = 0;
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
