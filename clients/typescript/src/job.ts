/** Where a job is in its life; the last three are final. */
export type JobStatus = "pending" | "processing" | "complete" | "failed" | "cancelled";

/**
 * A JSON object. An integer beyond 2^53 − 1 in it is a bigint, in both directions; a number is always a number.
 */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type JsonObject = Record<string, any>;

/** A 64-bit integer: a number where that is exact, else a bigint. */
export type Integer = number | bigint;

/** A claim: the job and the attempt under which it is held. Every job that a claim returned is one. */
export interface ClaimToken {
  id: string;
  attempt: number;
}

/** Who holds a job, or held it last. */
export interface Holder {
  name: string;
  pid: number;
  uid: number;
}

/** An attempt that ended without success. */
export interface Attempt {
  attempt: number;
  worker?: Holder;
  startedAt?: Date;
  endedAt?: Date;
  cause: "failed" | "lost" | "released" | "cancelled";
  error?: string;
}

/** A job as the broker knows it. */
export interface Job extends ClaimToken {
  /** The text of a UUID. */
  id: string;
  /** Routes the job to workers. */
  type: string;
  status: JobStatus;
  /** 0–100 within the stage. */
  progress: number;
  /** What the worker says it is doing. */
  stage?: string;
  /** Only from get, list and claim. */
  metadata?: JsonObject;
  /** Only from get, list and watches. */
  result?: JsonObject;
  error?: string;
  /** Automatic retries so far. */
  retryCount: number;
  maxRetries: number;
  /** How often a worker was lost while it held the job. */
  lostCount: number;
  maxLost: number;
  /** Higher goes first. */
  priority: number;
  /** Present while the job waits for that time. */
  notBefore?: Date;
  uniqueKey?: string;
  /** How often the job was claimed: the fence of its holder. */
  attempt: number;
  worker?: Holder;
  leaseExpiresAt?: Date;
  createdAt: Date;
  updatedAt: Date;
  startedAt?: Date;
  finishedAt?: Date;
  /** The attempts that ended without success; only from get. */
  history: Attempt[];
  /** The place in the order of creation. */
  sequence: Integer;
}

/** A job to be made. */
export interface NewJob {
  /** A UUID; default a new one. Made again with the same id and content, it is the same job. */
  id?: string;
  /** 1–256 bytes without control characters. */
  type: string;
  /** At most 393,216 bytes of JSON; default `{}`. */
  metadata?: JsonObject;
  /** Higher goes first; default 0. */
  priority?: number;
  /** Automatic retries after retryable failures, 0–1,000,000; default 1. */
  maxRetries?: number;
  /** How many lost workers it survives, 0–1,000,000; default 3. */
  maxLost?: number;
  /** Not to be claimed earlier. */
  notBefore?: Date;
  /** 1–256 bytes. While an unfinished job has it, that job is returned instead. */
  uniqueKey?: string;
}

/** What a create came to. */
export interface CreatedJob {
  /** Without metadata and result. */
  job: Job;
  /** Whether it was made now; false: it was there, by its id or its unique key. */
  created: boolean;
}

/** A change of some fields: what is absent or undefined stays. With none it is a heartbeat. */
export interface JobUpdate {
  status?: JobStatus;
  /** 0–100 within the stage. */
  progress?: number;
  /** At most 256 bytes; null: none. */
  stage?: string | null;
  result?: JsonObject;
  error?: string;
  retryCount?: number;
}

/** Which jobs to list. */
export interface JobFilter {
  status?: JobStatus;
  type?: string;
  /** The first 1–32 hexadecimal digits of the id. */
  idPrefix?: string;
  /** 1–1,000; default 100. */
  limit?: number;
  /** `nextCursor` of the page before. */
  cursor?: Integer;
}

/** Some jobs, newest first. */
export interface JobPage {
  jobs: Job[];
  /** Where the next page begins; absent on the last one. */
  nextCursor?: Integer;
}

/** What to claim, and for how long. */
export interface ClaimRequest {
  /** Only these types; default any. */
  types?: string[];
  /** 1–100; default 1. */
  maxJobs?: number;
  /** How long to wait for the first job, in milliseconds; default 0. */
  waitMs?: number;
  /** How long a job stays claimed without a heartbeat: 10 ms to 7 days, default 30,000. */
  leaseMs?: number;
}

/** A place in the queue, from 0; −1 when the job is not pending, or unknown. */
export interface QueuePosition {
  /** Among all pending jobs. */
  position: number;
  /** Among those of its type. */
  positionInType: number;
}

/** Which jobs to watch; with neither ids nor types all. */
export interface WatchSelection {
  ids?: string[];
  types?: string[];
}

/**
 * What a watch tells:
 *
 * - `snapshot`: the state from which the changes that follow count; `truncated`: there are more unfinished jobs than a
 *   snapshot holds;
 * - `changed`: the job as it is now, without its metadata; when its holder only reported, without its result, too;
 * - `deleted`: the job was deleted;
 * - `interrupted`: changes were missed, for the connection was lost or the reader too slow: a new snapshot follows.
 */
export type WatchEvent =
  | { kind: "snapshot"; jobs: Job[]; truncated: boolean }
  | { kind: "changed"; job: Job }
  | { kind: "deleted"; id: string }
  | { kind: "interrupted" };

/** The counters of one type. */
export interface TypeStats {
  type: string;
  pending: number;
  processing: number;
  complete: number;
  failed: number;
  cancelled: number;
  paused: boolean;
}

/** The broker's counters. */
export interface BrokerStats {
  types: TypeStats[];
  connections: number;
  waitingClaims: number;
  watches: number;
  /** Since the broker started, as are the commands and the time. */
  commits: number;
  commands: number;
  uptimeMs: number;
  /** User and system time of the broker's process, in microseconds. */
  cpuUs: number;
  residentBytes: number;
  server: string;
  store: string;
  pid: number;
  /** Whether there are more types than a reply holds. */
  truncated: boolean;
}

/** A connection to the broker, as others see it. */
export interface ConnectedWorker {
  holder: Holder;
  client: string;
  connectedAt: Date;
  /** Whether it waits in a claim. */
  waiting: boolean;
  /** What it waits for; none while it waits: any type. */
  waitingTypes: string[];
  holds: { id: string; attempt: number; type: string }[];
}

/** Who is connected. */
export interface WorkerList {
  workers: ConnectedWorker[];
  /** Whether there are more, or more that they wait for and hold, than a reply holds. */
  truncated: boolean;
}

/** What the broker said when the client last connected. */
export interface Welcome {
  protocolVersion: number;
  /** Program and version: `jobbrokerd/1.0.0`. */
  server: string;
  /** Names of what the broker can do beyond version 1 of the protocol. */
  features: string[];
}
