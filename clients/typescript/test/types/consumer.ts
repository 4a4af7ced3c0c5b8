// Not run: test/package.test.mjs compiles it against the packed package, as a strict user would.
import { BrokerJobStore, Client, ClaimRevoked, JobBrokerError, PermanentFailure, Worker, parseJson } from "jobbroker";
import type { ErrorCode, Handler, Job, JobStatus, StoredJob, WatchEvent } from "jobbroker";

interface Ingest {
  url: string;
  gain?: number;
}

/** What the users of the store that came before rely on. */
interface JobStore {
  create(type: string, metadata: Record<string, unknown>): Promise<StoredJob>;
  get(jobId: string): Promise<StoredJob | undefined>;
  update(jobId: string, update: {
    status?: JobStatus; progress?: number; stage?: string | null; result?: Record<string, unknown>; error?: string;
    retryCount?: number;
  }): Promise<void>;
  complete(jobId: string, result: Record<string, unknown>): Promise<void>;
  fail(jobId: string, error: string): Promise<void>;
  cancel(jobId: string): Promise<void>;
  list(filter: { status?: JobStatus; type?: string; limit?: number }): Promise<StoredJob[]>;
  claimNextPending(): Promise<StoredJob | undefined>;
  markStaleJobsFailed(timeoutMs: number, type?: string): Promise<number>;
  getQueuePosition(jobId: string): Promise<number>;
  close(): Promise<void>;
}

export const store: JobStore = new BrokerJobStore();

/** Columns of a database are null where nothing is. */
interface Row {
  type: string | null;
  error: string | null;
  retries: number | null;
}

export async function restore(broker: BrokerJobStore, row: Row): Promise<StoredJob | undefined> {
  await broker.update("id", { error: row.error, retryCount: row.retries, result: null });
  await broker.complete("id", null);
  return broker.claimNextPending(row.type);
}

export const handler: Handler = async (job, { signal, report }) => {
  const metadata: Ingest = { url: "", ...job.metadata };
  if (metadata.url === "") throw new PermanentFailure("no url");
  report({ stage: "downloading", progress: 40 });
  signal.addEventListener("abort", () => {
    if (signal.reason instanceof ClaimRevoked) return signal.reason.status;
    return undefined;
  });
  return { done: true };
};

export async function use(signal: AbortSignal): Promise<ErrorCode | undefined> {
  const client = await Client.connect({ socketPath: "/run/s", logger: console, signal });
  const metadata: Ingest = { url: "x" };
  const { job, created } = await client.create({ type: "ingest", metadata }, { signal });
  const text: string | undefined = created ? job.stage : job.error;
  const [claimed]: (Job | undefined)[] = await client.claim({ types: ["ingest"], waitMs: 1000 }, { signal });
  if (claimed) client.hold(claimed).report({ stage: text ?? null });
  for await (const event of client.watch({ ids: [job.id] })) describe(event);
  const parsed: unknown = parseJson("{}");
  await new Worker(client, { concurrency: 2, stopOn: ["SIGINT", "SIGTERM"] }, handler).run({ signal });
  return parsed instanceof JobBrokerError ? parsed.code : undefined;
}

function describe(event: WatchEvent): string {
  switch (event.kind) {
    case "snapshot": return `${event.jobs.length} ${event.truncated}`;
    case "changed": return event.job.status;
    case "deleted": return event.id;
    case "interrupted": return event.kind;
  }
}

export async function mistakes(client: Client): Promise<void> {
  // @ts-expect-error a job needs a type
  await client.create({ metadata: {} });
  // @ts-expect-error no such status
  await client.list({ status: "done" });
  // @ts-expect-error an attempt is a number
  await client.complete("id", {}, { attempt: "1" });
  // @ts-expect-error not the caller's to end
  client.hold({ id: "", attempt: 1 }).end(undefined);
}
