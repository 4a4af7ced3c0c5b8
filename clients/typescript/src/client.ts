import { JobBrokerError } from "./errors.js";
import type { HeldClaim, HoldOptions } from "./held-claim.js";
import type {
  BrokerStats, ClaimRequest, ClaimToken, CreatedJob, Job, JobFilter, JobPage, JobStatus, JobUpdate,
  JsonObject, NewJob, QueuePosition, WatchSelection, Welcome, WorkerList,
} from "./job.js";
import { settingsFrom } from "./options.js";
import type { ClientOptions, Settings } from "./options.js";
import { unexpectedReply } from "./pending.js";
import type { Treatment } from "./pending.js";
import type { Reply } from "./replies.js";
import {
  wireClaim, wireDuration, wireFilter, wireId, wireNewJob, wireObject, wireStatus, wireUpdate,
} from "./requests.js";
import type { Operation } from "./requests.js";
import { Session } from "./session.js";
import { Watch } from "./watch.js";

/** How to make a call. */
export interface CallOptions {
  /**
   * Ends the call at once, rejected with the signal's reason. What was sent may still be carried out, but an aborted
   * claim is withdrawn, and a job that still comes with it is given back.
   */
  signal?: AbortSignal;
}

/** How to make a call about a job. */
export interface HolderOptions extends CallOptions {
  /** The claim under which it is done; absent for an operator or a webhook, who hold no claim. */
  attempt?: number;
}

/**
 * A connection to the broker, for any number of callers at a time.
 *
 * A lost connection is made again by itself. Requests that may be repeated are then sent again, in their order, with
 * the same content; a waiting claim waits on; a watch tells that it was interrupted and begins anew. The others are
 * rejected with UNKNOWN_OUTCOME.
 *
 * Every call is rejected with a JobBrokerError: the broker's refusal as it came; or, when no answer came, UNAVAILABLE
 * (nothing happened, or repeating the call is safe) or UNKNOWN_OUTCOME (it may have happened: read the job first).
 */
export class Client {
  private readonly session: Session;
  private readonly opening: Promise<void>;

  /** A client that connects by itself, now or as soon as there is a broker; calls wait for that. */
  constructor(options: ClientOptions = {}) {
    this.session = new Session(settingsFrom(options));
    this.opening = this.session.open();
    // Whoever does not ask learns of it by the next call.
    this.opening.catch(() => {});
  }

  /**
   * A client that is connected; `waitsForBroker` is false unless it is given.
   *
   * @throws JobBrokerError UNAVAILABLE when there is no broker: the message names the socket and how to start one;
   *   PERMISSION_DENIED or UNSUPPORTED when the broker refuses this client.
   */
  static async connect(options: ClientOptions & CallOptions = {}): Promise<Client> {
    const { signal } = options;
    if (signal?.aborted) throw signal.reason;
    const client = new Client({ waitsForBroker: false, ...options });
    const abort = (): void => void client.close();
    signal?.addEventListener("abort", abort, { once: true });
    try {
      await client.opening;
    } catch (error) {
      throw signal?.aborted ? signal.reason : error;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
    return client;
  }

  /** What the broker said when this client last connected; undefined before that. */
  get welcome(): Welcome | undefined {
    return this.session.welcome;
  }

  /** Why every further call will fail; undefined while the client is of use. */
  get ending(): JobBrokerError | undefined {
    return this.session.ending;
  }

  /**
   * Ends the connection, and every call that waits. What this client claimed and did not finish goes back to the queue
   * when the broker's reconnect grace is over.
   */
  async close(): Promise<void> {
    await this.session.close(new JobBrokerError("UNAVAILABLE", "the client is closed"));
  }

  // ------------------------------------------------------------------------------------------ making and reading

  /** Asks for a sign of life. */
  async ping(options: CallOptions = {}): Promise<void> {
    await this.call("pong", { ping: {} }, options);
  }

  /**
   * Creates a job. Repeating it is safe when the job brings its id.
   *
   * @throws JobBrokerError ALREADY_EXISTS when the id belongs to a job with other content.
   */
  create(job: NewJob, options: CallOptions = {}): Promise<CreatedJob> {
    return this.createMany([job], options).then(([created]) => created as CreatedJob);
  }

  /** Creates 1–1,000 jobs: all of them or none. One outcome a job, in the same order. */
  async createMany(jobs: readonly NewJob[], options: CallOptions = {}): Promise<CreatedJob[]> {
    const reply = await this.call("created", { create: { jobs: jobs.map(wireNewJob) } }, options);
    if (reply.jobs.length !== jobs.length) throw unexpectedReply();
    return reply.jobs;
  }

  /** One job, with its history; undefined when there is none of that id. */
  async get(id: string, options: CallOptions = {}): Promise<Job | undefined> {
    try {
      return (await this.call("job", { get: { id: wireId(id) } }, options)).job;
    } catch (error) {
      if (error instanceof JobBrokerError && error.code === "NOT_FOUND") return undefined;
      throw error;
    }
  }

  /** A page of jobs, newest first. */
  async list(filter: JobFilter = {}, options: CallOptions = {}): Promise<JobPage> {
    return (await this.call("jobs", { list: wireFilter(filter) }, options)).page;
  }

  /** All jobs that the filter lets through, newest first, page after page; `limit` is the size of a page. */
  async *listAll(filter: JobFilter = {}, options: CallOptions = {}): AsyncGenerator<Job, void, undefined> {
    let page: JobPage = { jobs: [], nextCursor: filter.cursor };
    do {
      page = await this.list({ ...filter, cursor: page.nextCursor }, options);
      yield* page.jobs;
    } while (page.nextCursor !== undefined);
  }

  /** The place of a job in the queue. */
  async position(id: string, options: CallOptions = {}): Promise<QueuePosition> {
    return (await this.call("position", { position: { id: wireId(id) } }, options)).position;
  }

  /** Follows jobs: a snapshot, then every change. After a lost connection it begins anew by itself. */
  watch(selection: WatchSelection = {}, options: CallOptions = {}): Watch {
    return new Watch(this.session.watches, selection, options.signal);
  }

  /**
   * Waits until a job is complete, failed or cancelled. Each call is a watch while it waits, of which a client may have
   * 100 at a time; for more jobs watch them together.
   *
   * @returns the job, with its result.
   * @throws JobBrokerError NOT_FOUND when there is no such job, or it was deleted; RESOURCE_EXHAUSTED when there are
   *   100 watches.
   */
  async finished(id: string, options: CallOptions = {}): Promise<Job> {
    for await (const event of this.watch({ ids: [id] }, options)) {
      if (event.kind === "interrupted") continue;
      const jobs = event.kind === "snapshot" ? event.jobs : event.kind === "changed" ? [event.job] : [];
      // None: there is no such job.
      if (jobs.every(isFinished)) break;
    }
    return (await this.call("job", { get: { id: wireId(id) } }, options)).job;
  }

  // ----------------------------------------------------------------------------------------------- the holder's

  /**
   * Takes the next jobs, waiting for the first as long as the request says; none when the time ran out. While the
   * broker drains or is away, the claim waits for its return (unless `reconnects` is false).
   */
  async claim(request: ClaimRequest = {}, options: CallOptions = {}): Promise<Job[]> {
    return (await this.call("claimed", { claim: wireClaim(request) }, options)).jobs;
  }

  /**
   * Looks after a claim: heartbeats it until it is dropped, and tells by an AbortSignal when it is revoked.
   * Held again meanwhile, it is the same HeldClaim, which is looked after until each `hold` was followed by a `drop`.
   *
   * @throws JobBrokerError INVALID_ARGUMENT when the id is no UUID.
   */
  hold(claim: ClaimToken, options: HoldOptions = {}): HeldClaim {
    return this.session.keeper.hold(claim, options, false);
  }

  /**
   * Changes some fields of a job; with an empty update it is a heartbeat. As all changes that follow, it returns the
   * job as it is now, without metadata and result.
   *
   * @throws JobBrokerError NOT_FOUND; STALE_CLAIM; JOB_FINISHED.
   */
  update(id: string, update: JobUpdate, options: HolderOptions = {}): Promise<Job> {
    return this.change(() => ({ update: { ...about(id, options), ...wireUpdate(update) } }), options);
  }

  /** Finishes a job with success; errors as `update`. */
  complete(id: string, result?: JsonObject, options: HolderOptions = {}): Promise<Job> {
    return this.change(
      () => ({ complete: { ...about(id, options), result: result && wireObject(result, "result") } }), options);
  }

  /**
   * Finishes a job without success; errors as `update`.
   *
   * @param options `retryable`: whether it may go back to the queue while it has retries left; default false.
   */
  fail(id: string, error: string, options: HolderOptions & { retryable?: boolean } = {}): Promise<Job> {
    return this.change(() => ({ fail: { ...about(id, options), error, retryable: options.retryable } }), options);
  }

  /**
   * Gives a job back unharmed: no retry is counted. Errors as `update`.
   *
   * @param options `delayMs`: how long it is not to be claimed; default 0.
   */
  release(id: string, options: HolderOptions & { delayMs?: number } = {}): Promise<Job> {
    const { delayMs } = options;
    return this.change(
      () => ({
        release: { ...about(id, options), delay_ms: delayMs === undefined ? undefined : wireDuration(delayMs) },
      }),
      options);
  }

  // --------------------------------------------------------------------------------------------- the operator's

  /** Calls a job off; its holder is told at once. A finished job stays as it is. */
  cancel(id: string, options: CallOptions = {}): Promise<Job> {
    return this.change(() => ({ cancel: { id: wireId(id) } }), options);
  }

  /** Puts a failed or cancelled job back into the queue, with its retries renewed. */
  retry(id: string, options: CallOptions = {}): Promise<Job> {
    return this.change(() => ({ retry: { id: wireId(id) } }), options);
  }

  /** Removes a job. Operators only. */
  async delete(id: string, options: CallOptions = {}): Promise<void> {
    await this.call("done", { delete: { id: wireId(id) } }, options);
  }

  /** Fails the jobs that have been processing without a sign of life; how many it was. Operators only. */
  async reap(timeoutMs: number, options: CallOptions & { type?: string } = {}): Promise<number> {
    const reap = { timeout_ms: wireDuration(timeoutMs), type: options.type };
    return (await this.call("count", { reap }, options)).count;
  }

  /** Deletes the jobs that finished at least so long ago; how many it was. Operators only. */
  async prune(
    olderThanMs: number, options: CallOptions & { status?: JobStatus; type?: string } = {},
  ): Promise<number> {
    const { status, type } = options;
    const prune = { older_than_ms: wireDuration(olderThanMs), status: status && wireStatus(status), type };
    return (await this.call("count", { prune }, options)).count;
  }

  /** Stops claims of a type; its running jobs go on. Operators only. */
  async pause(type: string, options: CallOptions = {}): Promise<void> {
    await this.call("done", { pause: { type } }, options);
  }

  /** Allows claims of a type again. Operators only. */
  async resume(type: string, options: CallOptions = {}): Promise<void> {
    await this.call("done", { resume: { type } }, options);
  }

  /** Writes a consistent copy of the store to a new file on the broker's host. Operators only. */
  async backup(path: string, options: CallOptions = {}): Promise<void> {
    await this.call("done", { backup: { path } }, options);
  }

  /** The broker's counters. */
  async stats(options: CallOptions = {}): Promise<BrokerStats> {
    return (await this.call("stats", { stats: {} }, options)).stats;
  }

  /** Who is connected, waits for what and holds what. */
  async workers(options: CallOptions = {}): Promise<WorkerList> {
    return (await this.call("workers", { workers: {} }, options)).list;
  }

  // ----------------------------------------------------------------------------------------------------- within

  /** @internal What the worker needs to know of how patient this client is. */
  get settings(): Settings {
    return this.session.settings;
  }

  /** @internal Looks after a claim in the turn in which it came: its first heartbeat has time. */
  holdNew(claim: ClaimToken, options: HoldOptions): HeldClaim {
    return this.session.keeper.hold(claim, options, true);
  }

  /** @internal A claim that ends, with what it has found, when `waitsUntil` is aborted. */
  async claimUntil(waitsUntil: AbortSignal, request: ClaimRequest, { signal }: CallOptions): Promise<Job[]> {
    if (waitsUntil.aborted) return [];
    return (await this.call("claimed", { claim: wireClaim(request) }, { signal, waitsUntil })).jobs;
  }

  private call<Kind extends Reply["kind"]>(
    expected: Kind, operation: Operation, { signal, waitsUntil }: Treatment,
  ): Promise<Reply & { kind: Kind }> {
    return this.session.call(operation, { signal, waitsUntil, expected }) as Promise<Reply & { kind: Kind }>;
  }

  private async change(operation: () => Operation, options: CallOptions): Promise<Job> {
    return (await this.call("job", operation(), options)).job;
  }
}

function about(id: string, options: HolderOptions): { id: Buffer; attempt: number | undefined } {
  return { id: wireId(id), attempt: options.attempt };
}

function isFinished(job: Job): boolean {
  return job.status !== "pending" && job.status !== "processing";
}
