// From what callers give to the wire's messages, and what is known of each request's repetition.
import { JobBrokerError } from "./errors.js";
import { errorText } from "./error-text.js";
import type { ClaimRequest, JobFilter, JobStatus, JobUpdate, JsonObject, NewJob, WatchSelection } from "./job.js";
import { newJobIdBytes, parseJobId } from "./job-id.js";
import { stringifyJson } from "./json.js";
import type * as wire from "./wire/schema.js";

/** What a request asks for: a Request without its id, with one operation. */
export type Operation = Omit<wire.Request, "id">;

/** Beyond this the broker takes any duration as this. */
const tenYears = 10 * 365 * 86_400_000;

export function wireId(id: string): Buffer {
  const bytes = parseJobId(id);
  if (bytes === undefined) throw new JobBrokerError("INVALID_ARGUMENT", `"${id}" is not a job's id, which is a UUID`);
  return bytes;
}

export function wireStatus(status: JobStatus): wire.Status {
  return status.toUpperCase() as wire.Status;
}

/** Whole milliseconds; what is no duration is left to be refused by name. */
export function wireDuration(milliseconds: number): number {
  return Math.min(Math.ceil(milliseconds), tenYears);
}

/** The text of a JSON object. */
export function wireObject(value: JsonObject, name: string): string {
  let text: string | undefined;
  try {
    text = stringifyJson(value);
  } catch (error) {
    throw new JobBrokerError("INVALID_ARGUMENT", `${name} can't be written as JSON: ${errorText(error)}`);
  }
  if (text === undefined) throw new JobBrokerError("INVALID_ARGUMENT", `${name} is no JSON object`);
  return text;
}

export function wireNewJob(job: NewJob): wire.NewJob {
  return {
    id: job.id === undefined ? newJobIdBytes() : wireId(job.id),
    type: job.type,
    metadata: job.metadata && wireObject(job.metadata, "metadata"),
    priority: job.priority,
    max_retries: job.maxRetries,
    max_lost: job.maxLost,
    not_before: job.notBefore?.getTime(),
    unique_key: job.uniqueKey,
  };
}

export function wireUpdate(update: JobUpdate): wire.Update {
  return {
    status: update.status && wireStatus(update.status),
    progress: update.progress,
    stage: update.stage ?? undefined,
    clear_stage: update.stage === null ? true : undefined,
    result: update.result && wireObject(update.result, "result"),
    error: update.error,
    retry_count: update.retryCount,
  };
}

export function wireClaim(claim: ClaimRequest): wire.Claim {
  return {
    types: claim.types,
    max_jobs: claim.maxJobs,
    wait_ms: claim.waitMs === undefined ? undefined : wireDuration(claim.waitMs),
    lease_ms: claim.leaseMs === undefined ? undefined : wireDuration(claim.leaseMs),
  };
}

export function wireFilter(filter: JobFilter): wire.List {
  return {
    status: filter.status && wireStatus(filter.status),
    type: filter.type,
    limit: filter.limit,
    cursor: filter.cursor,
    id_prefix: filter.idPrefix,
  };
}

export function wireSelection(selection: WatchSelection): wire.Watch {
  return { ids: selection.ids?.map(wireId), types: selection.types };
}

/**
 * Whether sending it again, when nobody knows whether the first one arrived, comes to the same as sending it once.
 * Such requests are sent again by themselves on the next connection.
 */
export function isRepeatable(operation: Operation): boolean {
  const fenced = operation.update ?? operation.complete ?? operation.fail ?? operation.release;
  // The fence lets only the same holder through, and answers its repeat as the first time. Without it a repeat meets
  // whatever happened in between: it might overwrite a later change, or take the job from its next holder.
  if (fenced) return fenced.attempt !== undefined;
  // A second retry would run again a job that ran and failed meanwhile. The others would answer a repeat with
  // NOT_FOUND, a wrong count, or that the file exists.
  return !(operation.retry || operation.delete || operation.reap || operation.prune || operation.backup);
  // What is left changes nothing (get, list, …), brings its ids (create), names a state and not a step (cancel,
  // pause, resume), or is given up with its connection (claim).
}
