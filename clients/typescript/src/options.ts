import { basename } from "node:path";
import { defaultBackoff } from "./backoff.js";
import type { Backoff } from "./backoff.js";
import { defaultSocketPath } from "./socket-path.js";

/** Where a client tells what happens to it; `console` is one. */
export interface Logger {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

/** Where the broker is, who this client says it is, and how patient it is. */
export interface ClientOptions {
  /** The broker's socket; default `$JOBBROKER_SOCKET`, else the usual place for this user. */
  socketPath?: string;
  /** Program and version, for people: at most 256 bytes. Default the program's name. */
  clientName?: string;
  /** The name under which this client's claims are shown, at most 256 bytes. Default the program's name and pid. */
  workerName?: string;
  /** Asks the broker to refuse this client every change. Default false. */
  readOnly?: boolean;
  /** Whether a lost connection is made again; when false, the first loss ends every call. Default true. */
  reconnects?: boolean;
  /** Whether calls wait until there is a broker; when false, finding none ends every call. Default true. */
  waitsForBroker?: boolean;
  /** How long to wait between tries. */
  backoff?: Partial<Backoff>;
  /**
   * How long a call may go unanswered, in milliseconds, on top of the time its claim asked to wait; Infinity: for ever.
   * Default 30,000.
   */
  requestTimeoutMs?: number;
  /** Default: nothing is told. */
  logger?: Logger;
}

/** The options with all that was left open filled in. */
export type Settings = Required<Omit<ClientOptions, "backoff">> & { backoff: Backoff };

export function settingsFrom(options: ClientOptions): Settings {
  const program = basename(process.argv[1] ?? "node");
  return {
    socketPath: options.socketPath ?? defaultSocketPath(),
    clientName: options.clientName ?? program,
    workerName: options.workerName ?? `${program}-${process.pid}`,
    readOnly: options.readOnly ?? false,
    reconnects: options.reconnects ?? true,
    waitsForBroker: options.waitsForBroker ?? true,
    backoff: { ...defaultBackoff, ...options.backoff },
    requestTimeoutMs: options.requestTimeoutMs ?? 30_000,
    logger: options.logger ?? silent,
  };
}

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };
