import type { JobBrokerError } from "./errors.js";
import type { WatchEvent, WatchSelection } from "./job.js";
import type { WatchTable } from "./watch-table.js";

/** As many events may wait for their reader as a snapshot may have jobs. */
const capacity = 10_000;

interface Reader {
  resolve(result: IteratorResult<WatchEvent>): void;
  reject(reason: unknown): void;
}

/**
 * Jobs as they change: first a snapshot, then every change, with no gap between. It begins with the first `next()` and
 * ends with `return()`, which leaving a `for await` calls, or when its signal is aborted.
 *
 * A reader that falls behind by more than 10,000 events gets `interrupted` and, once it has caught up, a new snapshot.
 */
export class Watch implements AsyncIterableIterator<WatchEvent> {
  private events: WatchEvent[] = [];
  private hasOverflowed = false;
  private readonly readers: Reader[] = [];
  private state: "new" | "open" | "over" = "new";
  /** Why it ended, until a reader was told. */
  private ending: { reason: unknown } | undefined;

  /** @internal */
  constructor(
    private readonly table: WatchTable, readonly selection: WatchSelection,
    private readonly signal: AbortSignal | undefined,
  ) {}

  [Symbol.asyncIterator](): this {
    return this;
  }

  /**
   * The next event, in order; rejected with what the broker says against the watch, with UNAVAILABLE when the client
   * is closed, with the signal's reason when that is aborted.
   */
  next(): Promise<IteratorResult<WatchEvent>> {
    if (this.state === "new") this.begin();
    return new Promise((resolve, reject) => {
      const event = this.take();
      if (event) {
        resolve({ value: event, done: false });
      } else if (this.ending) {
        reject(this.ending.reason);
        this.ending = undefined;
      } else if (this.state === "over") {
        resolve({ value: undefined, done: true });
      } else {
        this.readers.push({ resolve, reject });
      }
    });
  }

  /** Ends the watch. */
  return(): Promise<IteratorResult<WatchEvent>> {
    this.finish();
    this.events = [];
    this.hasOverflowed = false;
    this.ending = undefined;
    for (const reader of this.readers.splice(0)) reader.resolve({ value: undefined, done: true });
    return Promise.resolve({ value: undefined, done: true });
  }

  private begin(): void {
    this.state = "open";
    if (this.signal?.aborted) return this.onAbort();
    this.signal?.addEventListener("abort", this.onAbort, { once: true });
    this.table.begin(this);
  }

  private take(): WatchEvent | undefined {
    if (!this.hasOverflowed) return this.events.shift();
    this.hasOverflowed = false;
    if (this.state === "open") this.table.resume(this);
    return { kind: "interrupted" };
  }

  private readonly onAbort = (): void => this.end(this.signal?.reason);

  private finish(): void {
    if (this.state === "open") this.table.forget(this);
    this.state = "over";
    this.signal?.removeEventListener("abort", this.onAbort);
  }

  // ------------------------------------------------------------------------------------ for the watch table

  /** @internal Adds an event; false when there is no room, which drops all that is unread. */
  append(event: WatchEvent): boolean {
    if (this.handOver(event)) return true;
    if (this.events.length < capacity) {
      this.events.push(event);
      return true;
    }
    this.events = [];
    this.hasOverflowed = true;
    return false;
  }

  /** @internal Tells the reader that it misses something. There is always room for that: it drops nothing unread. */
  interrupt(): void {
    const event: WatchEvent = { kind: "interrupted" };
    if (!this.handOver(event)) this.events.push(event);
  }

  /** Gives an event to a reader that waits for one, if any does. */
  private handOver(event: WatchEvent): boolean {
    const reader = this.readers.shift();
    reader?.resolve({ value: event, done: false });
    return reader !== undefined;
  }

  /** @internal Nothing more will come; what is unread stays readable. */
  end(reason: JobBrokerError | unknown): void {
    if (this.state === "over") return;
    this.finish();
    const [reader, ...others] = this.readers.splice(0);
    if (reader) reader.reject(reason);
    else this.ending = { reason };
    for (const other of others) other.resolve({ value: undefined, done: true });
  }
}
