import { setMaxListeners } from "node:events";
import { backoffDelay } from "./backoff.js";
import type { Client } from "./client.js";
import { JobBrokerError, PermanentFailure } from "./errors.js";
import { errorText } from "./error-text.js";
import type { HeldClaim, Report } from "./held-claim.js";
import type { Job, JsonObject } from "./job.js";
import { pause } from "./time.js";

/** What a handler knows of the job it works on, and how it reports. */
export interface JobContext {
  /** Aborted when the job was taken away (cancelled, reaped, …) or this worker must stop now. */
  readonly signal: AbortSignal;
  /**
   * Says what the handler is doing. Returns at once: reports that come faster than the broker answers are merged.
   *
   * @throws JobBrokerError INVALID_ARGUMENT for a value out of range; STALE_CLAIM when the job was taken away.
   */
  report(report: Report): void;
}

/**
 * Does a job. What it comes to:
 *
 * - it returns: the job is complete, with what was returned as its result;
 * - it throws a PermanentFailure: the job fails;
 * - it throws anything else: the job fails retryably, because most errors no one foresaw do not last;
 * - it throws because this worker must stop now: the job is given back unharmed.
 */
export type Handler = (job: Job, context: JobContext) => Promise<JsonObject | void> | JsonObject | void;

export interface WorkerOptions {
  /** Only these types; default any. */
  types?: string[];
  /** How many jobs it works on at a time, 1 or more; default 1. */
  concurrency?: number;
  /** How long a job stays claimed when this worker falls silent: 10 ms to 7 days, default 30,000. */
  leaseMs?: number;
  /** How long the current jobs may go on once it is to stop, in milliseconds; then they are aborted. Default 30,000. */
  gracePeriodMs?: number;
  /** The signals of the system on which it stops; default SIGTERM. They end the process no more while it runs. */
  stopOn?: readonly ("SIGTERM" | "SIGINT" | "SIGHUP")[];
}

/** How long one claim waits; then comes the next. */
const claimWaitMs = 60_000;
/** Jobs of one claim, at most (proto/PROTOCOL.md). */
const claimBatch = 100;

/**
 * Claims jobs and runs a handler for each.
 *
 * Jobs are claimed by one blocking call and kept by heartbeats. These share the handler's thread, so work that keeps it
 * busy for longer than the lease belongs into a child process or a worker_threads thread. A job that is cancelled, or
 * otherwise taken away, aborts its handler's signal, and nothing of it is reported any more.
 */
export class Worker {
  private readonly options: Required<WorkerOptions>;
  private readonly stopping = new AbortController();
  /** Aborted when the grace period is over. */
  private readonly halting = new AbortController();
  private readonly running = new Set<Promise<void>>();
  /** Ends the wait for a free place. */
  private wake = (): void => {};
  private run_: Promise<void> | undefined;

  constructor(private readonly client: Client, options: WorkerOptions, private readonly handler: Handler) {
    const { types = [], concurrency = 1, leaseMs = 30_000, gracePeriodMs = 30_000, stopOn = ["SIGTERM"] } = options;
    if (!(Number.isInteger(concurrency) && concurrency >= 1)) {
      throw new RangeError(`concurrency is ${concurrency}; a worker works on one job at least`);
    }
    this.options = { types, concurrency, leaseMs, gracePeriodMs, stopOn };
    // One a current job: more than ten are no leak.
    setMaxListeners(0, this.halting.signal);
  }

  /**
   * Works until it is stopped: by `stop`, by one of the signals `stopOn`, or by `options.signal`. Then it takes no new
   * jobs and finishes the current ones, as far as the grace period allows; what is cut short is given back once its
   * handler has ended. A worker runs once.
   *
   * @throws JobBrokerError what ends the client, or makes claiming pointless: INVALID_ARGUMENT, PERMISSION_DENIED,
   *   UNSUPPORTED.
   */
  run(options: { signal?: AbortSignal } = {}): Promise<void> {
    this.run_ ??= this.work(options.signal);
    return this.run_;
  }

  /** Stops as `run` says; resolves when it has. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.run_?.catch(() => {});
  }

  private async work(signal: AbortSignal | undefined): Promise<void> {
    const stop = (): void => this.stopping.abort();
    this.stopping.signal.addEventListener("abort", () => this.wake(), { once: true });
    if (signal?.aborted) stop();
    signal?.addEventListener("abort", stop, { once: true });
    for (const name of this.options.stopOn) process.on(name, stop);
    try {
      await this.claimJobs();
      await this.drain(this.options.gracePeriodMs);
    } catch (error) {
      await this.drain(0);
      throw error;
    } finally {
      signal?.removeEventListener("abort", stop);
      for (const name of this.options.stopOn) process.removeListener(name, stop);
    }
  }

  // ------------------------------------------------------------------------------------------------- claiming

  /** Claims and starts jobs until the worker is to stop. */
  private async claimJobs(): Promise<void> {
    const { signal } = this.stopping;
    let failures = 0;
    while (!signal.aborted) {
      try {
        for (const job of await this.nextJobs(signal)) this.start(job);
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof JobBrokerError) || this.client.ending) throw error;
        if (["INVALID_ARGUMENT", "PERMISSION_DENIED", "UNSUPPORTED"].includes(error.code)) throw error;
        failures += 1;
        this.client.settings.logger.warn(`jobbroker: can't claim: ${error.message}`);
        await pause(backoffDelay(this.client.settings.backoff, failures), signal);
      }
    }
  }

  private async nextJobs(signal: AbortSignal): Promise<Job[]> {
    const { types, concurrency, leaseMs } = this.options;
    while (this.running.size >= concurrency) {
      await new Promise<void>((resolve) => { this.wake = resolve; });
      if (signal.aborted) return [];
    }
    const maxJobs = Math.min(concurrency - this.running.size, claimBatch);
    const jobs = await this.client.claimUntil(signal, { types, maxJobs, leaseMs, waitMs: claimWaitMs });
    if (!signal.aborted) return jobs;
    // They came while the claim was withdrawn. Waited for: the client may be closed as soon as the worker has ended.
    await Promise.all(jobs.map(({ id, attempt }) => this.client.release(id, { attempt })));
    return [];
  }

  private start(job: Job): void {
    const run = this.handle(job).finally(() => {
      this.running.delete(run);
      this.wake();
    });
    this.running.add(run);
  }

  /** Lets the current jobs finish, within the grace period; then aborts them and waits for their handlers to end. */
  private async drain(gracePeriodMs: number): Promise<void> {
    const done = new AbortController();
    const finished = Promise.all(this.running).then(() => done.abort());
    await pause(gracePeriodMs, done.signal);
    this.halting.abort();
    await finished;
  }

  // -------------------------------------------------------------------------------------------------- working

  private async handle(job: Job): Promise<void> {
    const claim = this.client.hold(job, { leaseMs: this.options.leaseMs });
    const controller = new AbortController();
    const revoked = (): void => controller.abort(claim.signal.reason);
    const halted = (): void => controller.abort(new Error("the worker is stopping"));
    if (claim.signal.aborted) revoked();
    claim.signal.addEventListener("abort", revoked, { once: true });
    this.halting.signal.addEventListener("abort", halted, { once: true });
    try {
      const ending = await this.runHandler(job, claim, controller.signal);
      if (!claim.signal.aborted) await this.finish(claim, ending);
    } finally {
      claim.drop();
      this.halting.signal.removeEventListener("abort", halted);
    }
  }

  /** Runs the handler to its end; what to tell the broker. */
  private async runHandler(job: Job, claim: HeldClaim, signal: AbortSignal): Promise<() => Promise<Job>> {
    const { attempt } = claim;
    try {
      const result = await this.handler(job, { signal, report: (report) => claim.report(report) });
      return () => this.client.complete(job.id, result ?? undefined, { attempt });
    } catch (error) {
      if (signal.aborted && this.halting.signal.aborted) return () => this.client.release(job.id, { attempt });
      const retryable = !(error instanceof PermanentFailure);
      return () => this.client.fail(job.id, errorText(error), { attempt, retryable });
    }
  }

  /** Tells the broker, again and again as long as that may help. */
  private async finish(claim: HeldClaim, ending: () => Promise<Job>): Promise<void> {
    const { logger, backoff } = this.client.settings;
    const { attempt } = claim;
    let tell = ending;
    for (let failures = 1; ; failures += 1) {
      try {
        await tell();
        return;
      } catch (error) {
        logger.warn(`jobbroker: the broker did not take the ending of job ${claim.id}: ${errorText(error)}`);
        // What is no answer of the broker's comes from the handler's result, and would come again.
        const code = error instanceof JobBrokerError ? error.code : "INVALID_ARGUMENT";
        if (code === "INVALID_ARGUMENT" && tell === ending) {
          const reason = errorText(`the handler's result was refused: ${errorText(error)}`);
          tell = () => this.client.fail(claim.id, reason, { attempt });
          continue;
        }
        if (!["UNAVAILABLE", "UNKNOWN_OUTCOME", "RESOURCE_EXHAUSTED", "INTERNAL"].includes(code)) return;
        if (this.client.ending || claim.signal.aborted || this.halting.signal.aborted) return;
        await pause(backoffDelay(backoff, failures), claim.signal);
      }
    }
  }
}
