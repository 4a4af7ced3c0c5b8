import { setMaxListeners } from "node:events";
import { Client } from "./client.js";
import { JobBrokerError } from "./errors.js";
import { errorText } from "./error-text.js";
import type { HeldClaim } from "./held-claim.js";
import type { Job, JobStatus, JobUpdate, JsonObject } from "./job.js";
import { formatJobId, parseJobId } from "./job-id.js";
import { parseJson } from "./json.js";
import type { ClientOptions } from "./options.js";
import { wireObject } from "./requests.js";
import { farewellMs } from "./time.js";

/** A job as the users of a BrokerJobStore see it. */
export interface StoredJob {
  jobId: string;
  type: string;
  status: JobStatus;
  /** 0–100 within the stage. */
  progress: number;
  stage: string | null;
  metadata: JsonObject;
  result?: JsonObject;
  error?: string;
  retryCount: number;
  /** ISO 8601. */
  createdAt: string;
  /** ISO 8601. */
  updatedAt: string;
}

/** What `update` changes: what is absent, undefined or null stays; but a null stage is none. */
export interface StoredJobUpdate {
  status?: JobStatus | null;
  progress?: number | null;
  stage?: string | null;
  result?: JsonObject | null;
  error?: string | null;
  retryCount?: number | null;
}

/** Which jobs `list` gives. */
export interface StoredJobFilter {
  status?: JobStatus | null;
  type?: string | null;
  limit?: number | null;
}

export interface BrokerJobStoreOptions extends ClientOptions {
  /** A client to use; the store then does not close it, and the other options of a client do not count. */
  client?: Client;
  /**
   * How long a claimed job stays claimed without an `update`, in milliseconds. Default 10 minutes: those who use this
   * interface heartbeat with `update(jobId, {})` when they please.
   */
  leaseMs?: number;
  /** How long `claimNextPending` waits for a job, in milliseconds. Default 0; more makes polling needless. */
  claimWaitMs?: number;
}

const tenMinutes = 600_000;
/** Attempts to remember of jobs that this store no longer holds. */
const memory = 10_000;

/**
 * A job store with the interface of the SQLite and libSQL stores that JobBroker grew out of, so that their users switch
 * by one line. It remembers under which attempt it claimed a job, and puts that fence into its later calls on the job:
 * when the job was cancelled, or its lease ran out and another has it, they are rejected with STALE_CLAIM.
 *
 * What may be left out may also be null, as it comes from a column of a database.
 */
export class BrokerJobStore {
  private readonly client: Client;
  private readonly ownsClient: boolean;
  private readonly leaseMs: number;
  private readonly claimWaitMs: number;
  /** By job, the last claim of this store, over or not: a late call must not pass for an operator's. */
  private readonly claims = new Map<string, HeldClaim>();
  /** Ends the waiting claims of this store, whose client may live on. */
  private readonly closing = new AbortController();

  constructor(options: BrokerJobStoreOptions = {}) {
    this.client = options.client ?? new Client(options);
    this.ownsClient = options.client === undefined;
    this.leaseMs = options.leaseMs ?? tenMinutes;
    this.claimWaitMs = options.claimWaitMs ?? 0;
    // As many as claims wait: more than ten are no leak.
    setMaxListeners(0, this.closing.signal);
  }

  /** Makes a pending job; its metadata is a copy, as `get` gives it. */
  async create(type: string, metadata?: JsonObject | null): Promise<StoredJob> {
    const copy = parseJson(wireObject(metadata ?? {}, "metadata")) as JsonObject;
    const { job } = await this.client.create({ type, metadata: copy });
    return storedJob({ ...job, metadata: copy });
  }

  /** One job; undefined when there is none of that id. */
  async get(jobId: string): Promise<StoredJob | undefined> {
    if (parseJobId(jobId) === undefined) return undefined;
    const job = await this.client.get(jobId);
    return job && storedJob(job);
  }

  /**
   * Changes some fields; with none it is a heartbeat.
   *
   * @throws JobBrokerError NOT_FOUND, "Job <id> not found"; STALE_CLAIM; JOB_FINISHED.
   */
  async update(jobId: string, update: StoredJobUpdate): Promise<void> {
    const { status, progress, stage, result, error, retryCount } = update;
    const change: JobUpdate = {
      status: status ?? undefined,
      progress: progress ?? undefined,
      stage,
      result: result ?? undefined,
      error: error == null ? undefined : errorText(error),
      retryCount: retryCount ?? undefined,
    };
    await this.about(jobId, (attempt) => this.client.update(jobId, change, { attempt }));
  }

  /** Finishes a job with success: progress 100. Errors as `update`. */
  async complete(jobId: string, result?: JsonObject | null): Promise<void> {
    await this.about(jobId, (attempt) => this.client.complete(jobId, result ?? undefined, { attempt }));
  }

  /** Finishes a job without success. Errors as `update`. */
  async fail(jobId: string, error: string): Promise<void> {
    await this.about(jobId, (attempt) => this.client.fail(jobId, errorText(error), { attempt }));
  }

  /** Calls a job off; a finished one stays as it is. */
  async cancel(jobId: string): Promise<void> {
    await this.about(jobId, () => this.client.cancel(jobId));
  }

  /** Jobs, newest first; without a limit all. */
  async list(filter?: StoredJobFilter | null): Promise<StoredJob[]> {
    const limit = filter?.limit ?? Infinity;
    const jobs: StoredJob[] = [];
    if (limit < 1) return jobs;
    const page = {
      status: filter?.status ?? undefined, type: filter?.type ?? undefined, limit: Math.min(limit, pageSize),
    };
    for await (const job of this.client.listAll(page)) {
      jobs.push(storedJob(job));
      if (jobs.length >= limit) break;
    }
    return jobs;
  }

  /** Takes the oldest pending job of the highest priority; undefined when there is none. */
  async claimNextPending(type?: string | null): Promise<StoredJob | undefined> {
    const { signal } = this.closing;
    const [job] = await this.client.claim({
      types: type == null ? undefined : [type], leaseMs: this.leaseMs, waitMs: this.claimWaitMs,
    }, { signal });
    if (job === undefined) return undefined;
    this.remember(this.client.hold(job, { heartbeats: false }));
    if (!signal.aborted) return storedJob(job);
    // Closed between the broker's answer and this.
    await this.giveBack();
    throw signal.reason;
  }

  /** Fails the jobs that have been processing without a sign of life for so long; how many it was. */
  markStaleJobsFailed(timeoutMs: number, type?: string | null): Promise<number> {
    return this.client.reap(timeoutMs, { type: type ?? undefined });
  }

  /** The 0-based place among all pending jobs; −1 when the job is not pending, or unknown. */
  async getQueuePosition(jobId: string): Promise<number> {
    if (parseJobId(jobId) === undefined) return -1;
    return (await this.client.position(jobId)).position;
  }

  /**
   * Ends the connection, unless the client was given, and claims that wait. Jobs claimed and not finished go back to the
   * queue: after a few seconds, or at once when the client was given. A broker that is away is waited for two seconds.
   */
  async close(): Promise<void> {
    this.closing.abort(new JobBrokerError("UNAVAILABLE", "the store is closed"));
    if (this.ownsClient) await this.client.close();
    else await this.giveBack();
  }

  /** Releases what is held. What fails, or is not answered soon, goes back when its lease runs out. */
  private async giveBack(): Promise<void> {
    const held = [...this.claims.values()].filter((claim) => claim.isHeld);
    for (const claim of held) claim.drop();
    // A signal each, for Node takes many listeners of one for a leak.
    await Promise.allSettled(held.map(({ id, attempt }) =>
      this.client.release(id, { attempt, signal: AbortSignal.timeout(farewellMs) })));
  }

  /** Makes a call about a job, under the attempt that is remembered for it. */
  private async about(jobId: string, call: (attempt: number | undefined) => Promise<Job>): Promise<void> {
    const id = parseJobId(jobId);
    if (id === undefined) throw notFound(jobId);
    // However the caller writes the id, its fence must be found.
    const claim = this.claims.get(formatJobId(id));
    const job = await call(claim?.attempt).catch((error: unknown) => {
      throw error instanceof JobBrokerError && error.code === "NOT_FOUND" ? notFound(jobId) : error;
    });
    // No more to be kept across a lost connection.
    if (job.status !== "processing") claim?.drop();
  }

  private remember(claim: HeldClaim): void {
    this.claims.get(claim.id)?.drop();
    this.claims.delete(claim.id);
    this.claims.set(claim.id, claim);
    if (this.claims.size <= memory) return;
    for (const [id, oldest] of this.claims) {
      if (oldest.isHeld) continue;
      this.claims.delete(id);
      break;
    }
  }
}

/** Jobs of one page of a list, at most (proto/PROTOCOL.md). */
const pageSize = 1000;

/** In the words of the stores that this one replaces. */
function notFound(jobId: string): JobBrokerError {
  return new JobBrokerError("NOT_FOUND", `Job ${jobId} not found`);
}

function storedJob(job: Job): StoredJob {
  const stored: StoredJob = {
    jobId: job.id,
    type: job.type,
    status: job.status,
    progress: job.progress,
    stage: job.stage ?? null,
    metadata: job.metadata ?? {},
    retryCount: job.retryCount,
    createdAt: job.createdAt.toISOString(),
    updatedAt: job.updatedAt.toISOString(),
  };
  if (job.result !== undefined) stored.result = job.result;
  if (job.error !== undefined) stored.error = job.error;
  return stored;
}
