import { JobBrokerError } from "./errors.js";
import type { Job, WatchEvent } from "./job.js";
import type { Reply } from "./replies.js";
import { wireSelection } from "./requests.js";
import type { Session } from "./session.js";
import { longestTimer } from "./time.js";
import type { Timer } from "./time.js";
import type { Watch } from "./watch.js";

/** Jobs of a watch's snapshot, at most (proto/PROTOCOL.md). */
const snapshotLimit = 10_000;

/** A watch as the session knows it. */
interface OpenWatch {
  watch: Watch;
  /** Ends a watch that gets no first snapshot. */
  timer: Timer | undefined;
  /** Whether its reader has a snapshot and, but for a loss, every change since. */
  isCurrent: boolean;
  /** The frames of a snapshot that is not whole yet. */
  snapshot: Job[];
}

/** The watches of a session, by the id of their request. */
export class WatchTable {
  private open = new Map<number, OpenWatch>();
  private lastStopped = 0;

  constructor(private readonly session: Session) {}

  begin(watch: Watch): void {
    if (this.session.ending) return watch.end(this.session.ending);
    const { requestTimeoutMs } = this.session.settings;
    const timer = requestTimeoutMs <= longestTimer
      ? setTimeout(
        () => watch.end(new JobBrokerError("UNAVAILABLE", `no reply within ${requestTimeoutMs} ms`)), requestTimeoutMs)
      : undefined;
    this.send({ watch, timer, isCurrent: false, snapshot: [] });
  }

  /** Takes up again a watch whose reader was too slow and has caught up. */
  resume(watch: Watch): void {
    if (this.session.ending) return watch.end(this.session.ending);
    this.send({ watch, timer: undefined, isCurrent: false, snapshot: [] });
  }

  /** The watch has ended. */
  forget(watch: Watch): void {
    for (const [id, entry] of this.open) {
      if (entry.watch === watch) this.stop(id, entry);
    }
  }

  /** The connection was lost. */
  interrupt(): void {
    for (const entry of this.open.values()) {
      entry.snapshot = [];
      this.outdate(entry);
    }
  }

  /** There is a new connection. New ids, so that nothing old is mistaken for theirs. */
  reopen(): void {
    const old = this.open;
    this.open = new Map();
    for (const entry of old.values()) this.send(entry);
  }

  /** The client was closed. */
  end(error: JobBrokerError): void {
    for (const { watch } of [...this.open.values()]) watch.end(error);
  }

  /** Whether the reply was a watch's, or may have crossed the end of one: then it is nobody's. */
  receive(id: number, reply: Reply): boolean {
    const entry = this.open.get(id);
    if (entry === undefined) {
      return reply.kind === "event" || reply.kind === "snapshot"
        || reply.kind === "error" && id > 0 && id <= this.lastStopped;
    }
    switch (reply.kind) {
      case "snapshot": this.receiveSnapshot(id, entry, reply); break;
      case "event": this.receiveEvent(id, entry, reply.event); break;
      case "error": entry.watch.end(reply.error); break;
      default: this.session.violated("it answers a watch with a reply of another kind");
    }
    return true;
  }

  private receiveSnapshot(id: number, entry: OpenWatch, reply: Reply & { kind: "snapshot" }): void {
    if (entry.snapshot.length + reply.jobs.length > snapshotLimit) {
      return this.session.violated(`a snapshot of more than ${snapshotLimit} jobs`);
    }
    entry.snapshot.push(...reply.jobs);
    if (reply.more) return;
    const { snapshot: jobs } = entry;
    entry.snapshot = [];
    clearTimeout(entry.timer);
    entry.timer = undefined;
    entry.isCurrent = true;
    this.deliver(id, entry, { kind: "snapshot", jobs, truncated: reply.truncated });
  }

  private receiveEvent(id: number, entry: OpenWatch, event: WatchEvent): void {
    if (event.kind !== "interrupted") return this.deliver(id, entry, event);
    // The broker dropped changes: begin anew.
    this.outdate(entry);
    this.stop(id, entry);
    this.resume(entry.watch);
  }

  /** Tells the reader that it misses something: nothing before a snapshot, and once until the next. */
  private outdate(entry: OpenWatch): void {
    if (entry.isCurrent) entry.watch.interrupt();
    entry.isCurrent = false;
  }

  /** A reader that is too slow gets nothing more until it has caught up. */
  private deliver(id: number, entry: OpenWatch, event: WatchEvent): void {
    if (!entry.watch.append(event)) this.stop(id, entry);
  }

  private send(entry: OpenWatch): void {
    const id = this.session.newId();
    try {
      this.open.set(id, entry);
      this.session.transmit(id, { watch: wireSelection(entry.watch.selection) });
    } catch (error) {
      entry.watch.end(error);
    }
  }

  private stop(id: number, entry: OpenWatch): void {
    clearTimeout(entry.timer);
    entry.timer = undefined;
    this.open.delete(id);
    this.lastStopped = Math.max(this.lastStopped, id);
    if (this.session.isConnected) this.session.post({ unwatch: { watch_id: id } }, { repeated: false });
  }
}
