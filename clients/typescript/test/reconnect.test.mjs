import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { newJobId } from "jobbroker";
import { Broker, limit, until } from "./support/broker.mjs";
import { Proxy } from "./support/proxy.mjs";

const quick = { backoff: { maximumMs: 100 } };

/** A client behind a proxy that can lose replies, and one that talks to the broker itself. */
async function proxied(test, options = {}) {
  const broker = await Broker.start(test);
  const proxy = await Proxy.start(test, broker);
  const client = await broker.connect({ socketPath: proxy.socketPath, ...quick, ...options });
  return { broker, proxy, client, observer: await broker.connect() };
}

describe("when the reply was lost with the connection", () => {
  it("a create is sent again and is still one job", limit, async (test) => {
    const { proxy, client, observer } = await proxied(test);
    proxy.loseReplies();
    const creating = client.create({ type: "ingest" });
    await until(async () => (await observer.list()).jobs.length === 1);
    proxy.cut();
    const { job, created } = await creating;
    assert.equal(created, false, "the first one had arrived");
    assert.deepEqual((await observer.list()).jobs.map(({ id }) => id), [job.id]);
  });

  it("a fenced complete is sent again and answered as the first time", limit, async (test) => {
    const { proxy, client, observer } = await proxied(test);
    const { job: { id } } = await client.create({ type: "ingest" });
    const [{ attempt }] = await client.claim();
    proxy.loseReplies();
    const completing = client.complete(id, { ok: true }, { attempt });
    await until(async () => (await observer.get(id)).status === "complete");
    proxy.cut();
    assert.equal((await completing).status, "complete");
  });

  it("what is not safe to repeat is of unknown outcome", limit, async (test) => {
    const { proxy, client, observer } = await proxied(test);
    const { job: { id } } = await client.create({ type: "ingest" });
    proxy.loseReplies();
    const completing = assert.rejects(client.complete(id), { code: "UNKNOWN_OUTCOME" });
    await until(async () => (await observer.get(id)).status === "complete");
    proxy.cut();
    await completing;
  });

  it("without reconnecting every call ends", limit, async (test) => {
    const { proxy, client } = await proxied(test, { reconnects: false });
    const waiting = assert.rejects(client.claim({ waitMs: 60_000 }), { code: "UNAVAILABLE" });
    proxy.cut();
    await waiting;
    await assert.rejects(client.ping(), { code: "UNAVAILABLE" });
  });
});

describe("when the broker is killed and comes back", () => {
  it("a create that it had not read is made", limit, async (test) => {
    const broker = await Broker.start(test);
    const client = await broker.connect(quick);
    broker.signal("SIGSTOP");
    const id = newJobId();
    const creating = client.create({ id, type: "ingest" });
    await broker.restart();
    assert.equal((await creating).created, true);
    assert.equal((await client.get(id)).status, "pending");
  });

  it("a blocked claim waits on", limit, async (test) => {
    const broker = await Broker.start(test);
    const worker = await broker.connect(quick);
    const producer = await broker.connect(quick);
    const claiming = worker.claim({ waitMs: 60_000 });
    await until(async () => (await producer.stats()).waitingClaims === 1);
    await broker.restart();
    const { job } = await producer.create({ type: "late" });
    assert.equal((await claiming)[0].id, job.id);
  });

  it("a blocked claim survives a shutdown too, which refuses it first", limit, async (test) => {
    const broker = await Broker.start(test);
    const worker = await broker.connect(quick);
    const claiming = worker.claim({ waitMs: 60_000 });
    await until(async () => (await worker.stats()).waitingClaims === 1);
    await broker.kill("SIGTERM");
    await broker.start();
    const { job } = await worker.create({ type: "late" });
    assert.equal((await claiming)[0].id, job.id);
  });

  it("a held claim is heartbeaten at once, and kept", limit, async (test) => {
    const broker = await Broker.start(test);
    const client = await broker.connect(quick);
    const { job: { id } } = await client.create({ type: "ingest" });
    const [job] = await client.claim({ leaseMs: 600_000 });
    const claim = client.hold(job, { heartbeats: false });
    const before = (await client.get(id)).updatedAt;
    await broker.restart();
    await until(async () => (await client.get(id)).updatedAt > before);
    assert.equal(claim.signal.aborted, false);
    assert.equal((await client.complete(id, {}, { attempt: 1 })).status, "complete");
  });

  it("a watch tells that it was interrupted and begins anew", limit, async (test) => {
    const broker = await Broker.start(test);
    const client = await broker.connect(quick);
    const { job: { id } } = await client.create({ type: "ingest" });
    const watch = client.watch({ types: ["ingest"] });
    assert.deepEqual((await watch.next()).value.jobs.map((job) => job.id), [id]);
    await broker.restart();
    assert.equal((await watch.next()).value.kind, "interrupted");
    assert.deepEqual((await watch.next()).value.jobs.map((job) => job.id), [id]);
    await client.cancel(id);
    assert.equal((await watch.next()).value.job.status, "cancelled");
    assert.deepEqual(await watch.return(), { value: undefined, done: true });
    await until(async () => (await client.stats()).watches === 0);
  });
});
