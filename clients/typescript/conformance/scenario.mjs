// The scenario of proto/vectors/conformance/README.md, line by line.
import { strict as assert } from "node:assert";
import { writeSync } from "node:fs";
import { createInterface } from "node:readline";
import { Client, JobBrokerError, newJobId, stringifyJson } from "jobbroker";

const socketPath = process.argv[2];
const names = new Map();
const nameOf = (id) => names.get(id) ?? "unknown";

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** The value with its keys, and those within, sorted. */
function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]));
}

function print(step, line) {
  writeSync(1, `${stringifyJson(sorted({ ...line, step }))}\n`);
}

function shown(job, isWhole = false) {
  return {
    attempt: job.attempt, error: job.error, lost_count: job.lostCount, name: nameOf(job.id), priority: job.priority,
    progress: job.progress, retry_count: job.retryCount, stage: job.stage, status: job.status.toUpperCase(),
    type: job.type, worker: job.worker?.name,
    ...(isWhole && { metadata: job.metadata, result: job.result }),
  };
}

const printJob = (step, job, isWhole) => print(step, { job: shown(job, isWhole) });
const printNames = (step, jobs) => print(step, { names: jobs.map((job) => nameOf(job.id)) });

async function refusal(step, call) {
  const error = await call.then(() => undefined, (reason) => reason);
  assert.ok(error instanceof JobBrokerError, `${step} was not refused`);
  print(step, { code: error.code, job: error.job && shown(error.job) });
}

const connect = (workerName, options) => Client.connect({ socketPath, workerName, ...options });
const [producer, holder, rival, waiter, looker] = await Promise.all(
  ["producer", "holder", "rival", "waiter"].map((name) => connect(name))
    .concat(connect("looker", { readOnly: true })));

// ------------------------------------------------------------------------------------------------- creating

const metadata = {
  big: 9007199254740993n, nested: { list: [1, null, true, "x"] }, text: 'žluťoučký 🎧 "q" \\',
};

async function create(step, jobs, jobNames = []) {
  const made = await producer.createMany(jobs);
  made.forEach(({ job, created }, index) => {
    if (jobNames[index]) names.set(job.id, jobNames[index]);
    print(step, { created, job: shown(job) });
  });
  return made.map(({ job }) => job.id);
}

const [first] = await create("create", [{ type: "ingest", metadata }], ["first"]);
await create("create again", [{ id: first, type: "ingest", metadata }]);
await refusal("create other content", producer.create({ id: first, type: "ingest", metadata: {} }));
const [second, urgent, last] = await create("create batch", [
  { type: "preview" },
  { type: "ingest", priority: 7, maxRetries: 0, uniqueKey: "album:1" },
  { type: "save", priority: -7 },
], ["second", "urgent", "last"]);
await create("unique key", [{ type: "ingest", uniqueKey: "album:1" }]);
await refusal("bad type", producer.create({ type: "" }));
await refusal("bad progress", producer.update(first, { progress: 101 }));
print("get unknown", { code: (await producer.get(newJobId())) ? "found" : "NOT_FOUND" });
await refusal("cancel unknown", producer.cancel(newJobId()));
for (const id of [first, second, urgent, last, newJobId()]) {
  const { position, positionInType } = await producer.position(id);
  print("position", { name: nameOf(id), position, position_in_type: positionInType });
}
await refusal("read only", looker.create({ type: "ingest" }));

// ------------------------------------------------------------------------------------------ claiming, watching

async function claim(step, client, request) {
  const jobs = await client.claim(request);
  for (const job of jobs) printJob(step, job, true);
  return jobs;
}

await producer.pause("preview");
print("claim paused", { jobs: (await holder.claim({ types: ["preview"] })).length });
await producer.resume("preview");

const watch = producer.watch({ ids: [first] });
const nextEvent = async () => (await watch.next()).value;
const printEvent = async () => printJob("event", (await nextEvent()).job);
printNames("snapshot", (await nextEvent()).jobs);

await claim("claim", holder, { maxJobs: 2 });
await printEvent();
printJob("report", await holder.update(first, { progress: 12.5, stage: "downloading 🎧" }, { attempt: 1 }));
await printEvent();
printJob("clear stage", await holder.update(first, { progress: 0, stage: null }, { attempt: 1 }));
await printEvent();

// -------------------------------------------------------------------------------------- finishing, and too late

await claim("claim short", holder, { types: ["preview"], leaseMs: 10 });
await claim("claim lost", rival, { types: ["preview"], waitMs: 30_000 });
await refusal("late completion", holder.complete(second, { late: true }, { attempt: 1 }));
printJob("complete", await rival.complete(second, { ok: true }, { attempt: 2 }));
printJob("complete again", await rival.complete(second, { ok: true }, { attempt: 2 }));
await refusal("complete finished", producer.complete(second));

printJob("fail", await holder.fail(urgent, "no such file: ä.wav", { attempt: 1, retryable: true }));
printJob("retry", await producer.retry(urgent));
await refusal("retry pending", producer.retry(urgent));
await claim("claim", holder, { types: ["ingest"] });
printJob("release", await holder.release(urgent, { attempt: 2 }));
await claim("claim", holder, { types: ["save"] });
printJob("fail retryable", await holder.fail(last, "busy", { attempt: 1, retryable: true }));
printJob("cancel", await producer.cancel(last));

printJob("cancel", await producer.cancel(first));
const claimOfFirst = holder.hold({ id: first, attempt: 1 }, { heartbeats: false });
if (!claimOfFirst.signal.aborted) await new Promise((told) => claimOfFirst.signal.addEventListener("abort", told));
const revocation = claimOfFirst.signal.reason;
print("revoked", {
  attempt: revocation.claim.attempt, name: nameOf(revocation.claim.id), status: revocation.status.toUpperCase(),
});
await printEvent();
await refusal("complete cancelled", holder.complete(first, undefined, { attempt: 1 }));
printJob("cancel again", await producer.cancel(first));

// --------------------------------------------------------------------------------------------------- reading

for (const id of [first, second]) {
  const job = await producer.get(id);
  printJob("get", job, true);
  for (const { attempt, cause, worker } of job.history) {
    print("history", { attempt, cause: cause.toUpperCase(), name: nameOf(id), worker: worker?.name });
  }
}

async function list(filter) {
  const jobs = [];
  for await (const job of producer.listAll(filter)) jobs.push(job);
  printNames("list", jobs);
}

await list({ limit: 3 });
await list({ status: "complete", type: "preview" });
const { type: _type, ...counters } = (await producer.stats()).types.find(({ type }) => type === "ingest");
print("stats", counters);
await claim("claim", holder, { types: ["ingest"] });
printNames("workers", (await producer.workers()).workers.find((worker) => worker.holder.name === "holder").holds);

// ------------------------------------------------------------------------------------------------- reconnecting

const waiting = waiter.claim({ types: ["late"], waitMs: 60_000 });
while ((await producer.stats()).waitingClaims !== 1);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
print("restart", {});
await lines.next();

printJob("kept", await holder.update(urgent, { progress: 80 }, { attempt: 3 }));
const [late] = await create("create", [{ type: "late" }], ["late"]);
for (const job of await waiting) printJob("claim survived", job, true);
let event;
do event = await nextEvent(); while (event.kind !== "snapshot");
printNames("snapshot", event.jobs);
printJob("complete", await holder.complete(urgent, {}, { attempt: 3 }));
printJob("fail", await waiter.fail(late, "gone", { attempt: 1 }));
await producer.delete(first);
print("deleted", { name: nameOf((await nextEvent()).id) });
await list();
print("reap", { count: await producer.reap(0) });
print("prune", { count: await producer.prune(0) });

await Promise.all([producer, holder, rival, waiter, looker].map((client) => client.close()));
process.stdin.destroy();
