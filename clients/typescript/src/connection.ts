import { connect } from "node:net";
import type { Socket } from "node:net";
import { FrameReader } from "./wire/frames.js";

/** What a connection tells its session; nothing any more once it was closed. */
export interface ConnectionEvents {
  opened(connection: Connection): void;
  received(body: Buffer, connection: Connection): void;
  /** What arrived is not cut into frames. */
  violated(what: string, connection: Connection): void;
  /** The connection is gone, or never came to be. */
  lost(error: NodeError | undefined, connection: Connection): void;
}

/** An error of the system, `code` its name: "ECONNREFUSED". */
export type NodeError = Error & { code?: string };

/** How long what was written may take to leave when a connection is closed. */
const lingerMs = 1000;
/** Bytes that one read takes at most. */
const readSize = 64 << 10;

/** One socket: cuts what arrives into frames and writes what it is given. */
export class Connection {
  private readonly socket: Socket;
  private readonly frames = new FrameReader();
  private outgoing: Buffer[] = [];
  private readonly flush = (): void => {
    const [first] = this.outgoing;
    if (first === undefined) return;
    const bytes = this.outgoing.length === 1 ? first : Buffer.concat(this.outgoing);
    this.outgoing = [];
    if (!this.socket.destroyed) this.socket.write(bytes);
  };
  /** A frame may have ended the connection; the rest is nobody's. */
  private readonly take = (body: Buffer): void => this.events?.received(body, this);
  private error: NodeError | undefined;
  private events: ConnectionEvents | undefined;

  constructor(path: string, events: ConnectionEvents) {
    this.events = events;
    // Into one buffer again and again, past the stream's own: that would allocate one for each read.
    const incoming = Buffer.alloc(readSize);
    this.socket = connect({
      path,
      onread: {
        buffer: incoming,
        callback: (count) => {
          this.receive(incoming.subarray(0, count));
          return true;
        },
      },
    });
    this.socket.on("connect", () => this.events?.opened(this));
    this.socket.on("error", (error) => { this.error = error; });
    this.socket.on("close", () => this.events?.lost(this.error, this));
  }

  /** Writes a frame, together with all others of this turn of the event loop. */
  write(frame: Buffer): void {
    this.outgoing.push(frame);
    if (this.outgoing.length === 1) process.nextTick(this.flush);
  }

  /** Ends the connection once what was written has left. */
  async close(): Promise<void> {
    this.events = undefined;
    this.flush();
    if (this.socket.destroyed) return;
    await new Promise<void>((closed) => {
      const timer = setTimeout(() => this.socket.destroy(), lingerMs);
      this.socket.once("close", () => {
        clearTimeout(timer);
        closed();
      });
      this.socket.destroySoon();
    });
  }

  private receive(bytes: Buffer): void {
    try {
      this.frames.append(bytes, this.take);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.events?.violated(error.message, this);
    }
  }
}
