import { setMaxListeners } from "node:events";
import { backoffDelay } from "./backoff.js";
import type { Client } from "./client.js";
import { JobBrokerError, PermanentFailure } from "./errors.js";
import { errorText } from "./error-text.js";
import type { HeldClaim, Report } from "./held-claim.js";
import type { Job, JsonObject } from "./job.js";
import { onAbort } from "./on-abort.js";
import { farewellMs, longestTimer, pause } from "./time.js";
import type { Timer } from "./time.js";

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

/** Tells the broker what became of a job; given up when the signal is aborted. */
type Ending = (late: AbortSignal) => Promise<Job>;

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
  /** Aborted when the grace period is over, or cut short. */
  private readonly halting = new AbortController();
  /** Each way to stop counts for itself: a program may hand on a signal that the worker has heard, too. */
  private readonly onStop = this.stopper();
  private readonly onSignal = this.stopper();
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
   * jobs and finishes the current ones, as far as the grace period allows, which a second `stop` or a second signal
   * ends; what is cut short is given back once its handler has ended. A worker runs once.
   *
   * @throws JobBrokerError what ends the client, or makes claiming pointless: INVALID_ARGUMENT, PERMISSION_DENIED,
   *   UNSUPPORTED.
   */
  run(options: { signal?: AbortSignal } = {}): Promise<void> {
    this.run_ ??= this.work(options.signal);
    return this.run_;
  }

  /** Stops as `run` says; called again, at once. Resolves when it has. */
  async stop(): Promise<void> {
    this.onStop();
    await this.run_?.catch(() => {});
  }

  /** A way to ask the worker to stop; the second time, at once. */
  private stopper(): () => void {
    let isAsked = false;
    return () => {
      if (isAsked) this.halting.abort();
      isAsked = true;
      this.stopping.abort();
    };
  }

  private async work(signal: AbortSignal | undefined): Promise<void> {
    const { gracePeriodMs, stopOn } = this.options;
    let grace: Timer | undefined;
    const forgetStop = onAbort(this.stopping.signal, () => {
      this.wake();
      grace = setTimeout(() => this.halting.abort(), Math.min(gracePeriodMs, longestTimer));
    });
    const forget = signal && onAbort(signal, () => this.stopping.abort());
    for (const name of stopOn) process.on(name, this.onSignal);
    try {
      await this.claimJobs();
    } catch (error) {
      this.halting.abort();
      throw error;
    } finally {
      await Promise.all(this.running);
      // `stop` may be called of a worker that has ended by itself.
      forgetStop();
      clearTimeout(grace);
      forget?.();
      for (const name of stopOn) process.removeListener(name, this.onSignal);
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
    const request = { types, maxJobs, leaseMs, waitMs: claimWaitMs };
    const jobs = await this.inTime((late) => this.client.claimUntil(signal, request, { signal: late }));
    if (!signal.aborted) return jobs;
    // They came while the claim was withdrawn. Waited for: the client may be closed as soon as the worker has ended.
    await Promise.allSettled(jobs.map(({ id, attempt }) =>
      this.inTime((late) => this.client.release(id, { attempt, signal: late }))));
    return [];
  }

  private start(job: Job): void {
    const run = this.handle(job).finally(() => {
      this.running.delete(run);
      this.wake();
    });
    this.running.add(run);
  }

  // -------------------------------------------------------------------------------------------------- working

  private async handle(job: Job): Promise<void> {
    const claim = this.client.holdNew(job, { leaseMs: this.options.leaseMs });
    const controller = new AbortController();
    onAbort(claim.signal, () => controller.abort(claim.signal.reason));
    const forget = onAbort(this.halting.signal, () => controller.abort(new Error("the worker is stopping")));
    try {
      const ending = await this.runHandler(job, claim, controller.signal);
      if (!claim.signal.aborted) await this.finish(claim, ending);
    } finally {
      claim.drop();
      forget();
    }
  }

  /** Runs the handler to its end; what to tell the broker. */
  private async runHandler(job: Job, claim: HeldClaim, signal: AbortSignal): Promise<Ending> {
    const { attempt } = claim;
    try {
      const result = await this.handler(job, { signal, report: (report) => claim.report(report) });
      return (late) => this.client.complete(job.id, result ?? undefined, { attempt, signal: late });
    } catch (error) {
      if (signal.aborted && this.halting.signal.aborted) {
        return (late) => this.client.release(job.id, { attempt, signal: late });
      }
      const retryable = !(error instanceof PermanentFailure);
      return (late) => this.client.fail(job.id, errorText(error), { attempt, retryable, signal: late });
    }
  }

  /** Tells the broker, again and again as long as that may help. */
  private async finish(claim: HeldClaim, ending: Ending): Promise<void> {
    const { logger, backoff } = this.client.settings;
    const { attempt } = claim;
    let tell = ending;
    for (let failures = 1; ; failures += 1) {
      try {
        await this.inTime(tell);
        return;
      } catch (error) {
        logger.warn(`jobbroker: the broker did not take the ending of job ${claim.id}: ${errorText(error)}`);
        // Any other error comes from the handler's result, and would come again.
        const code = error instanceof JobBrokerError ? error.code : "INVALID_ARGUMENT";
        if (code === "INVALID_ARGUMENT" && tell === ending) {
          const reason = errorText(`the handler's result was refused: ${errorText(error)}`);
          tell = (late) => this.client.fail(claim.id, reason, { attempt, signal: late });
          continue;
        }
        if (!["UNAVAILABLE", "UNKNOWN_OUTCOME", "RESOURCE_EXHAUSTED", "INTERNAL"].includes(code)) return;
        if (this.client.ending || claim.signal.aborted || this.halting.signal.aborted) return;
        await pause(backoffDelay(backoff, failures), claim.signal, this.halting.signal);
      }
    }
  }

  /** Makes a call that is given up when it takes longer than `farewellMs` once the worker halts. */
  private async inTime<T>(call: (late: AbortSignal) => Promise<T>): Promise<T> {
    const late = new AbortController();
    let timer: Timer | undefined;
    const forget = onAbort(this.halting.signal, () => {
      timer = setTimeout(
        () => late.abort(new JobBrokerError("UNAVAILABLE", `no reply within ${farewellMs} ms`)), farewellMs);
    });
    try {
      return await call(late.signal);
    } finally {
      clearTimeout(timer);
      forget();
    }
  }
}
