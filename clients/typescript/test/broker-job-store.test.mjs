import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BrokerJobStore, newJobId } from "jobbroker";
import { Broker, limit, until } from "./support/broker.mjs";

async function opened(test, options = {}) {
  const broker = await Broker.start(test);
  const store = broker.closesAtEnd(new BrokerJobStore({ socketPath: broker.socketPath, ...options }));
  return { broker, store };
}

const isoDate = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

describe("as the store it replaces", () => {
  it("creates and retrieves a job", limit, async (test) => {
    const { store } = await opened(test);
    const metadata = {
      title: "Žluťoučký kůň 🎧 \ud800", bytes: Number.MAX_SAFE_INTEGER, samples: 9007199254740993n, ratio: 2 ** 60,
      nested: { list: [1, null, true, { deep: [[]] }], empty: {} },
    };
    const created = await store.create("ingest", metadata);
    assert.deepEqual(Object.keys(created).sort(), [
      "createdAt", "jobId", "metadata", "progress", "retryCount", "stage", "status", "type", "updatedAt",
    ]);
    assert.deepEqual(
      { ...created, jobId: "", createdAt: "", updatedAt: "" },
      {
        jobId: "", type: "ingest", status: "pending", progress: 0, stage: null, metadata, retryCount: 0, createdAt: "",
        updatedAt: "",
      });
    assert.match(created.createdAt, isoDate);
    assert.match(created.updatedAt, isoDate);
    assert.deepEqual(await store.get(created.jobId), created);
  });

  it("creates with metadata as `get` will give it, and no longer the caller's", limit, async (test) => {
    const { store } = await opened(test);
    const metadata = { at: new Date(0), gone: undefined, ratio: NaN, list: [1] };
    const created = await store.create("ingest", metadata);
    assert.deepEqual(created.metadata, { at: "1970-01-01T00:00:00.000Z", ratio: null, list: [1] });
    created.metadata.list.push(2);
    assert.deepEqual(metadata.list, [1]);
  });

  it("finds nothing where nothing is", limit, async (test) => {
    const { store } = await opened(test);
    assert.equal(await store.get(newJobId()), undefined);
    for (const id of ["no-uuid", undefined, null]) assert.equal(await store.get(id), undefined);
  });

  it("updates status, progress and stage", limit, async (test) => {
    const { store } = await opened(test);
    const { jobId } = await store.create("ingest", {});
    await store.update(jobId, { status: "processing", progress: 40, stage: "downloading" });
    const job = await store.get(jobId);
    assert.deepEqual([job.status, job.progress, job.stage], ["processing", 40, "downloading"]);
    await store.update(jobId, { stage: null });
    assert.equal((await store.get(jobId)).stage, null);
    assert.equal((await store.get(jobId)).progress, 40, "what is absent stays");
  });

  it("completes with a result", limit, async (test) => {
    const { store } = await opened(test);
    const { jobId } = await store.create("ingest", {});
    const result = { path: "/ö.wav", frames: 2n ** 63n };
    await store.complete(jobId, result);
    const job = await store.get(jobId);
    assert.deepEqual([job.status, job.progress, job.result], ["complete", 100, result]);
  });

  it("fails with an error, however long and odd", limit, async (test) => {
    const { store } = await opened(test);
    const { jobId } = await store.create("ingest", {});
    await store.fail(jobId, "Download failed");
    assert.deepEqual([(await store.get(jobId)).status, (await store.get(jobId)).error], ["failed", "Download failed"]);
    const other = await store.create("ingest", {});
    await store.fail(other.jobId, `\0${"ž".repeat(20_000)}`);
    assert.equal((await store.get(other.jobId)).error, ` ${"ž".repeat(8191)}`);
  });

  it("cancels a pending job", limit, async (test) => {
    const { store } = await opened(test);
    const { jobId } = await store.create("ingest", {});
    await store.cancel(jobId);
    assert.equal((await store.get(jobId)).status, "cancelled");
  });

  it("cancel does nothing to a finished job", limit, async (test) => {
    const { store } = await opened(test);
    const { jobId } = await store.create("ingest", {});
    await store.complete(jobId, { a: 1 });
    const before = await store.get(jobId);
    await store.cancel(jobId);
    assert.deepEqual(await store.get(jobId), before);
  });

  it("claims the oldest job first, as processing", limit, async (test) => {
    const { store } = await opened(test);
    const first = await store.create("ingest", { n: 1 });
    const second = await store.create("preview", { n: 2 });
    const claimed = await store.claimNextPending();
    assert.deepEqual([claimed.jobId, claimed.status, claimed.metadata], [first.jobId, "processing", { n: 1 }]);
    assert.equal((await store.claimNextPending()).jobId, second.jobId);
  });

  it("a claim on an empty queue is undefined", limit, async (test) => {
    const { store } = await opened(test);
    assert.equal(await store.claimNextPending(), undefined);
  });

  it("marks stale processing jobs failed", limit, async (test) => {
    const { store } = await opened(test);
    const stale = await store.create("ingest", {});
    const other = await store.create("preview", {});
    const pending = await store.create("save", {});
    await store.claimNextPending();
    await store.claimNextPending();
    assert.equal(await store.markStaleJobsFailed(3_600_000), 0);
    await until(async () => (await store.markStaleJobsFailed(0, "ingest")) === 1);
    assert.deepEqual(
      [(await store.get(stale.jobId)).status, (await store.get(stale.jobId)).error],
      ["failed", "Timeout: job exceeded processing time limit"]);
    assert.equal((await store.get(other.jobId)).status, "processing");
    assert.equal((await store.get(pending.jobId)).status, "pending");
  });

  it("tells the queue position; −1 for a job that is not pending, or unknown", limit, async (test) => {
    const { store } = await opened(test);
    const jobs = [await store.create("a", {}), await store.create("b", {}), await store.create("a", {})];
    assert.deepEqual(await Promise.all(jobs.map((job) => store.getQueuePosition(job.jobId))), [0, 1, 2]);
    await store.claimNextPending();
    assert.deepEqual(await Promise.all(jobs.map((job) => store.getQueuePosition(job.jobId))), [-1, 0, 1]);
    assert.equal(await store.getQueuePosition(newJobId()), -1);
    for (const id of ["no-uuid", undefined, null]) assert.equal(await store.getQueuePosition(id), -1);
  });

  it("lists by status, by type, up to a limit, newest first; without a limit all", limit, async (test) => {
    const { broker, store } = await opened(test);
    const first = await store.create("ingest", {});
    const second = await store.create("preview", {});
    await store.complete(first.jobId, {});
    const ids = async (filter) => (await store.list(filter)).map((job) => job.jobId);
    assert.deepEqual(await ids(), [second.jobId, first.jobId]);
    assert.deepEqual(await ids({ status: "complete" }), [first.jobId]);
    assert.deepEqual(await ids({ type: "preview" }), [second.jobId]);
    assert.deepEqual(await ids({ limit: 1 }), [second.jobId]);
    assert.deepEqual(await ids({ limit: 0 }), []);
    const client = await broker.connect();
    for (let i = 0; i < 3; i += 1) await client.createMany(Array.from({ length: 500 }, () => ({ type: "many" })));
    assert.equal((await store.list({ type: "many" })).length, 1500);
    assert.equal((await store.list({ type: "many", limit: 1200 })).length, 1200);
  });

  it("an update of an unknown job is an error", limit, async (test) => {
    const { store } = await opened(test);
    for (const id of [newJobId(), "no-uuid", undefined]) {
      await assert.rejects(store.update(id, { progress: 1 }), { message: `Job ${id} not found`, code: "NOT_FOUND" });
      await assert.rejects(store.complete(id, {}), { message: `Job ${id} not found` });
      await assert.rejects(store.fail(id, "x"), { message: `Job ${id} not found` });
      await assert.rejects(store.cancel(id), { message: `Job ${id} not found` });
    }
  });

  it("null is as good as nothing where nothing may be given", limit, async (test) => {
    const { store } = await opened(test);
    const { jobId, metadata } = await store.create("ingest", null);
    assert.deepEqual(metadata, {});
    assert.equal((await store.claimNextPending(null)).jobId, jobId);
    await store.update(jobId, { progress: 40, stage: "decoding" });
    await store.update(jobId, { status: null, progress: null, result: null, error: null, retryCount: null });
    const job = await store.get(jobId);
    assert.deepEqual(
      [job.status, job.progress, job.stage, "result" in job, "error" in job, job.retryCount],
      ["processing", 40, "decoding", false, false, 0]);
    assert.equal((await store.list({ status: null, type: null, limit: null })).length, 1);
    assert.equal((await store.list(null)).length, 1);
    assert.equal(await store.markStaleJobsFailed(3_600_000, null), 0);
    await store.complete(jobId, null);
    assert.equal((await store.get(jobId)).status, "complete");
  });

  it("the retry count can be set, and a job put back", limit, async (test) => {
    const { store } = await opened(test);
    const { jobId } = await store.create("ingest", {});
    await store.claimNextPending();
    await store.update(jobId, { status: "pending", retryCount: 1, progress: 0, stage: null });
    const job = await store.get(jobId);
    assert.deepEqual([job.status, job.retryCount], ["pending", 1]);
    assert.equal((await store.claimNextPending()).jobId, jobId);
  });
});

describe("beyond the store it replaces", () => {
  it("claims for ten minutes, and a heartbeat renews that", limit, async (test) => {
    const { broker, store } = await opened(test);
    const client = await broker.connect();
    const { jobId } = await store.create("ingest", {});
    await store.claimNextPending();
    const claimed = await client.get(jobId);
    assert.equal(claimed.leaseExpiresAt - claimed.updatedAt, 600_000);
    await until(async () => {
      await store.update(jobId, {});
      return (await client.get(jobId)).leaseExpiresAt > claimed.leaseExpiresAt;
    });
  });

  it("a late call of a holder that lost its job is refused, again and again", limit, async (test) => {
    const { broker, store } = await opened(test);
    const client = await broker.connect();
    const { jobId } = await store.create("ingest", {});
    await store.claimNextPending();
    await client.release(jobId, { attempt: 1 });
    await client.claim();
    for (let i = 0; i < 2; i += 1) {
      await assert.rejects(store.update(jobId, { progress: 1 }), { code: "STALE_CLAIM" });
      await assert.rejects(store.complete(jobId, { late: true }), { code: "STALE_CLAIM" });
      await assert.rejects(store.fail(jobId, "late"), { code: "STALE_CLAIM" });
      await assert.rejects(store.complete(jobId.toUpperCase(), {}), { code: "STALE_CLAIM" });
    }
    await client.complete(jobId, { right: true }, { attempt: 2 });
    assert.deepEqual((await store.get(jobId)).result, { right: true });
  });

  it("a completion after a cancellation does not count", limit, async (test) => {
    const { broker, store } = await opened(test);
    const web = broker.closesAtEnd(new BrokerJobStore({ socketPath: broker.socketPath }));
    const { jobId } = await web.create("ingest", {});
    await store.claimNextPending();
    await web.cancel(jobId);
    await assert.rejects(store.complete(jobId, { late: true }), { code: "STALE_CLAIM" });
    assert.equal((await web.get(jobId)).status, "cancelled");
  });

  it("another store finishes a job that it never claimed, as a webhook does", limit, async (test) => {
    const { broker, store } = await opened(test);
    const webhook = broker.closesAtEnd(new BrokerJobStore({ socketPath: broker.socketPath }));
    const { jobId } = await store.create("ingest", {});
    await store.claimNextPending();
    await webhook.complete(jobId, { by: "webhook" });
    assert.deepEqual((await store.get(jobId)).result, { by: "webhook" });
  });

  describe("closing a store whose client lives on", () => {
    async function shared(test) {
      const broker = await Broker.start(test);
      const client = await broker.connect();
      return { client, observer: await broker.connect(), store: new BrokerJobStore({ client, claimWaitMs: 60_000 }) };
    }

    it("ends its waiting claims", limit, async (test) => {
      const { client, observer, store } = await shared(test);
      const claiming = assert.rejects(store.claimNextPending(), { code: "UNAVAILABLE", message: "the store is closed" });
      await until(async () => (await observer.stats()).waitingClaims === 1);
      await store.close();
      await claiming;
      await until(async () => (await observer.stats()).waitingClaims === 0);
      await assert.rejects(store.claimNextPending(), { code: "UNAVAILABLE" });
      await client.ping();
    });

    it("gives back what it holds, and is no longer its holder", limit, async (test) => {
      const { client, store } = await shared(test);
      const { jobId } = await store.create("ingest", {});
      await store.claimNextPending();
      await store.close();
      const { status, history } = await client.get(jobId);
      assert.deepEqual([status, history.map(({ cause }) => cause)], ["pending", ["released"]]);
      await client.claim();
      await assert.rejects(store.complete(jobId, {}), { code: "STALE_CLAIM" });
    });

    it("gives back a job that came just before", limit, async (test) => {
      const { client, store } = await shared(test);
      const { job: { id } } = await client.create({ type: "ingest" });
      const claim = client.claim.bind(client);
      test.mock.method(client, "claim", async (...request) => {
        const jobs = await claim(...request);
        void store.close();
        return jobs;
      });
      await assert.rejects(store.claimNextPending(), { message: "the store is closed" });
      assert.equal((await client.get(id)).status, "pending");
    });

    it("does not wait for a broker that is away", limit, async (test) => {
      const broker = await Broker.start(test);
      const store = new BrokerJobStore({ client: await broker.connect({ requestTimeoutMs: Infinity }) });
      await store.create("ingest", {});
      await store.claimNextPending();
      await broker.kill();
      await store.close();
    });

    it("does not wait for a broker that does not answer", limit, async (test) => {
      const broker = await Broker.start(test);
      const client = await broker.connect({ requestTimeoutMs: Infinity });
      const store = new BrokerJobStore({ client });
      const { jobId } = await store.create("ingest", {});
      await store.claimNextPending();
      broker.signal("SIGSTOP");
      await store.close();
      broker.signal("SIGCONT");
      // What was sent counts nevertheless.
      await until(async () => (await client.get(jobId)).status === "pending");
    });
  });

  it("claims a type alone, and waits for it when told to", limit, async (test) => {
    const { broker, store } = await opened(test, { claimWaitMs: 60_000 });
    const client = await broker.connect();
    await client.create({ type: "preview" });
    const claiming = store.claimNextPending("ingest");
    await until(async () => (await client.stats()).waitingClaims === 1);
    const { job } = await client.create({ type: "ingest" });
    assert.equal((await claiming).jobId, job.id);
  });

  it("keeps its claims over a restart of the broker, though it heartbeats rarely", limit, async (test) => {
    const { broker, store } = await opened(test, { backoff: { maximumMs: 100 } });
    const { jobId } = await store.create("ingest", {});
    await store.claimNextPending();
    const before = (await store.get(jobId)).updatedAt;
    await broker.restart();
    await until(async () => (await store.get(jobId)).updatedAt > before);
    await store.complete(jobId, {});
    assert.equal((await store.get(jobId)).status, "complete");
  });
});
