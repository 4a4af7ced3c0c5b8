// From the wire's messages to the values that callers get. Each throws a JobBrokerError for what can't be understood,
// which is the broker's fault or a later version's, never the caller's.
import { ClaimRevoked, JobBrokerError } from "./errors.js";
import type { ErrorCode } from "./errors.js";
import type {
  Attempt, BrokerStats, ConnectedWorker, CreatedJob, Holder, Integer, Job, JobPage, JobStatus, JsonObject,
  QueuePosition, WatchEvent, Welcome, WorkerList,
} from "./job.js";
import { formatJobId } from "./job-id.js";
import { parseJson } from "./json.js";
import type * as wire from "./wire/schema.js";

/** What the broker answers. Each operation has one kind of reply, or an error. */
export type Reply =
  | { kind: "error"; error: JobBrokerError }
  | { kind: "welcome"; welcome: Welcome; maxInFlight: number }
  | { kind: "pong" }
  | { kind: "created"; jobs: CreatedJob[] }
  | { kind: "job"; job: Job }
  | { kind: "jobs"; page: JobPage }
  | { kind: "claimed"; jobs: Job[] }
  | { kind: "count"; count: number }
  | { kind: "position"; position: QueuePosition }
  | { kind: "snapshot"; jobs: Job[]; more: boolean; truncated: boolean }
  | { kind: "event"; event: WatchEvent }
  | { kind: "revoked"; revocation: ClaimRevoked }
  | { kind: "stats"; stats: BrokerStats }
  | { kind: "workers"; list: WorkerList }
  | { kind: "done" };

/** The reply of a response that has one. */
export function replyFrom(message: wire.Response): Reply {
  if (message.error) return { kind: "error", error: errorFrom(message.error) };
  if (message.job) return { kind: "job", job: jobFrom(message.job) };
  if (message.created) return { kind: "created", jobs: (message.created.jobs ?? []).map(createdFrom) };
  if (message.claimed) return { kind: "claimed", jobs: jobsFrom(message.claimed.jobs) };
  if (message.welcome) return welcomeFrom(message.welcome);
  if (message.pong) return { kind: "pong" };
  if (message.jobs) return { kind: "jobs", page: pageFrom(message.jobs) };
  if (message.count) return { kind: "count", count: Number(message.count.count ?? 0) };
  if (message.position) return { kind: "position", position: positionFrom(message.position) };
  if (message.snapshot) {
    const { jobs, more = false, truncated = false } = message.snapshot;
    return { kind: "snapshot", jobs: jobsFrom(jobs), more, truncated };
  }
  if (message.event) return { kind: "event", event: eventFrom(message.event) };
  if (message.revoked) return { kind: "revoked", revocation: revocationFrom(message.revoked) };
  if (message.stats) return { kind: "stats", stats: statsFrom(message.stats) };
  if (message.workers) return { kind: "workers", list: workersFrom(message.workers) };
  return { kind: "done" };
}

const statuses: Record<string, JobStatus> = {
  PENDING: "pending", PROCESSING: "processing", COMPLETE: "complete", FAILED: "failed", CANCELLED: "cancelled",
};

const causes: Record<string, Attempt["cause"]> = {
  CAUSE_FAILED: "failed", CAUSE_LOST: "lost", CAUSE_RELEASED: "released", CAUSE_CANCELLED: "cancelled",
};

const codes = new Set<string | number>([
  "INVALID_ARGUMENT", "NOT_FOUND", "STALE_CLAIM", "JOB_FINISHED", "ALREADY_EXISTS", "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED", "UNAVAILABLE", "UNKNOWN_OUTCOME", "UNSUPPORTED",
]);

function unreadable(what: string, code: "INTERNAL" | "UNSUPPORTED" = "INTERNAL"): JobBrokerError {
  return new JobBrokerError(code, `the broker's reply can't be read: ${what}`);
}

function errorFrom(message: wire.Error): JobBrokerError {
  // A code that this version does not know is a refusal in any case.
  const code = codes.has(message.code ?? "") ? (message.code as ErrorCode) : "INTERNAL";
  return new JobBrokerError(code, message.message ?? "", message.job && jobFrom(message.job));
}

function jobFrom(message: wire.Job): Job {
  const job: Job = {
    id: idFrom(message.id, "job.id"),
    type: message.type ?? "",
    status: known(statuses, message.status, "job.status"),
    progress: message.progress ?? 0,
    retryCount: message.retry_count ?? 0,
    maxRetries: message.max_retries ?? 0,
    lostCount: message.lost_count ?? 0,
    maxLost: message.max_lost ?? 0,
    priority: message.priority ?? 0,
    attempt: message.attempt ?? 0,
    createdAt: dateFrom(message.created_at ?? 0),
    updatedAt: dateFrom(message.updated_at ?? 0),
    history: (message.history ?? []).map(attemptFrom),
    sequence: message.sequence ?? 0,
  };
  if (message.stage !== undefined) job.stage = message.stage;
  if (message.metadata !== undefined) job.metadata = objectFrom(message.metadata, "job.metadata");
  if (message.result !== undefined) job.result = objectFrom(message.result, "job.result");
  if (message.error !== undefined) job.error = message.error;
  if (message.not_before !== undefined) job.notBefore = dateFrom(message.not_before);
  if (message.unique_key !== undefined) job.uniqueKey = message.unique_key;
  if (message.worker !== undefined) job.worker = holderFrom(message.worker);
  if (message.lease_expires_at !== undefined) job.leaseExpiresAt = dateFrom(message.lease_expires_at);
  if (message.started_at !== undefined) job.startedAt = dateFrom(message.started_at);
  if (message.finished_at !== undefined) job.finishedAt = dateFrom(message.finished_at);
  return job;
}

function jobsFrom(messages: wire.Job[] | undefined): Job[] {
  return (messages ?? []).map(jobFrom);
}

function idFrom(bytes: Uint8Array | undefined, field: string): string {
  if (bytes?.length !== 16) throw unreadable(`${field} is not a UUID`);
  return formatJobId(bytes as Buffer);
}

/** What a value of the wire's enumeration means here; one of a later version is refused, for nobody here knows it. */
function known<T>(meanings: Record<string, T>, value: string | number | undefined, field: string): T {
  const meaning = meanings[value ?? ""];
  if (meaning === undefined) throw unreadable(`${field} is ${value}, which this version does not know`, "UNSUPPORTED");
  return meaning;
}

function objectFrom(text: string, field: string): JsonObject {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (error) {
    throw unreadable(`${field} is not JSON (${(error as Error).message})`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw unreadable(`${field} is not a JSON object`);
  }
  return value;
}

/** A time that a Date can't hold sticks at the end of the Date's range. */
function dateFrom(milliseconds: Integer): Date {
  const limit = 8.64e15;
  return new Date(Math.max(-limit, Math.min(limit, Number(milliseconds))));
}

function holderFrom(message: wire.Holder | undefined): Holder {
  return { name: message?.name ?? "", pid: message?.pid ?? 0, uid: message?.uid ?? 0 };
}

function attemptFrom(message: wire.Attempt): Attempt {
  const attempt: Attempt = {
    attempt: message.attempt ?? 0,
    cause: known(causes, message.cause, "job.history.cause"),
  };
  if (message.worker !== undefined) attempt.worker = holderFrom(message.worker);
  if (message.started_at !== undefined) attempt.startedAt = dateFrom(message.started_at);
  if (message.ended_at !== undefined) attempt.endedAt = dateFrom(message.ended_at);
  if (message.error !== undefined) attempt.error = message.error;
  return attempt;
}

function eventFrom(message: wire.Event): WatchEvent {
  if (message.changed) return { kind: "changed", job: jobFrom(message.changed) };
  if (message.deleted) return { kind: "deleted", id: idFrom(message.deleted, "event.deleted") };
  if (message.resync) return { kind: "interrupted" };
  throw unreadable("this version does not know the kind of an event", "UNSUPPORTED");
}

function revocationFrom(message: wire.Revoked): ClaimRevoked {
  // A status that this version does not know counts as none: the claim is over in any case.
  return new ClaimRevoked(
    { id: idFrom(message.id, "revoked.id"), attempt: message.attempt ?? 0 }, statuses[message.status ?? ""],
    message.reason ?? "");
}

function createdFrom(message: wire.Created_Entry): CreatedJob {
  return { job: jobFrom(message.job ?? {}), created: message.created ?? false };
}

function pageFrom(message: wire.JobList): JobPage {
  const page: JobPage = { jobs: jobsFrom(message.jobs) };
  if (message.next_cursor !== undefined) page.nextCursor = message.next_cursor;
  return page;
}

function positionFrom(message: wire.QueuePosition): QueuePosition {
  return { position: Number(message.position ?? -1), positionInType: Number(message.position_in_type ?? -1) };
}

function welcomeFrom(message: wire.Welcome): Reply {
  return {
    kind: "welcome",
    welcome: {
      protocolVersion: message.protocol_version ?? 0, server: message.server ?? "", features: message.features ?? [],
    },
    maxInFlight: Math.max(1, message.max_in_flight ?? 1),
  };
}

function statsFrom(message: wire.Stats): BrokerStats {
  return {
    types: (message.types ?? []).map((type) => ({
      type: type.type ?? "",
      pending: Number(type.pending ?? 0),
      processing: Number(type.processing ?? 0),
      complete: Number(type.complete ?? 0),
      failed: Number(type.failed ?? 0),
      cancelled: Number(type.cancelled ?? 0),
      paused: type.paused ?? false,
    })),
    connections: Number(message.connections ?? 0),
    waitingClaims: Number(message.waiting_claims ?? 0),
    watches: Number(message.watches ?? 0),
    commits: Number(message.commits ?? 0),
    commands: Number(message.commands ?? 0),
    uptimeMs: Number(message.uptime_ms ?? 0),
    cpuUs: Number(message.cpu_us ?? 0),
    residentBytes: Number(message.resident_bytes ?? 0),
    server: message.server ?? "",
    store: message.store ?? "",
    pid: message.pid ?? 0,
    truncated: message.truncated ?? false,
  };
}

function workersFrom(message: wire.WorkerList): WorkerList {
  return { workers: (message.workers ?? []).map(workerFrom), truncated: message.truncated ?? false };
}

function workerFrom(worker: wire.WorkerList_Worker): ConnectedWorker {
  return {
    holder: holderFrom(worker.holder),
    client: worker.client ?? "",
    connectedAt: dateFrom(worker.connected_at ?? 0),
    waiting: worker.waiting ?? false,
    waitingTypes: worker.waiting_types ?? [],
    holds: (worker.holds ?? []).map((held) => ({
      id: idFrom(held.id, "workers.holds.id"), attempt: held.attempt ?? 0, type: held.type ?? "",
    })),
  };
}
