import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Client, newJobId } from "jobbroker";
import { Broker, limit, until } from "./support/broker.mjs";
import { fakeBroker } from "./support/fake-broker.mjs";

const quick = { backoff: { initialMs: 1, maximumMs: 10 } };
const changed = { id: Buffer.alloc(16, 1), status: "PENDING" };

describe("waiting for a job's end", () => {
  it("returns the job with its result, also when it had ended before", limit, async (test) => {
    const broker = await Broker.start(test);
    const client = await broker.connect();
    const { job: { id } } = await client.create({ type: "ingest" });
    const finished = client.finished(id);
    await until(async () => (await client.stats()).watches === 1);
    await client.update(id, { progress: 1 });
    await client.complete(id, { n: 1 });
    assert.deepEqual((await finished).result, { n: 1 });
    assert.equal((await client.finished(id)).status, "complete");
  });

  it("says so when there is no such job, or no more", limit, async (test) => {
    const broker = await Broker.start(test);
    const client = await broker.connect();
    await assert.rejects(client.finished(newJobId()), { code: "NOT_FOUND" });
    const { job: { id } } = await client.create({ type: "ingest" });
    const finished = assert.rejects(client.finished(id), { code: "NOT_FOUND" });
    await until(async () => (await client.stats()).watches === 1);
    await client.delete(id);
    await finished;
  });
});

describe("a watch", () => {
  it("shows the state, then every change, until it is left", limit, async (test) => {
    const broker = await Broker.start(test);
    const client = await broker.connect();
    const [watched] = (await client.createMany([{ type: "ingest" }, { type: "save" }])).map(({ job }) => job.id);
    const seen = [];
    for await (const event of client.watch({ types: ["ingest"] })) {
      seen.push(event.kind === "snapshot" ? event.jobs.map((job) => job.status) : event.kind);
      if (event.kind === "snapshot") await client.cancel(watched);
      if (event.kind === "changed") {
        assert.deepEqual([event.job.status, event.job.metadata], ["cancelled", undefined]);
        await client.delete(watched);
      }
      if (event.kind === "deleted") {
        assert.equal(event.id, watched);
        break;
      }
    }
    assert.deepEqual(seen, [["pending"], "changed", "deleted"]);
    await until(async () => (await client.stats()).watches === 0);
  });

  it("ends with its signal's reason, also while it waits", limit, async (test) => {
    const broker = await Broker.start(test);
    const client = await broker.connect();
    const controller = new AbortController();
    const watch = client.watch({}, { signal: controller.signal });
    await watch.next();
    const waiting = assert.rejects(watch.next(), { message: "enough" });
    controller.abort(new Error("enough"));
    await waiting;
    assert.deepEqual(await watch.next(), { value: undefined, done: true });
    await assert.rejects(client.watch({}, { signal: controller.signal }).next(), { message: "enough" });
    await until(async () => (await client.stats()).watches === 0);
  });

  it("ends when the client is closed, and when the broker refuses it", limit, async (test) => {
    const broker = await Broker.start(test);
    const client = await broker.connect();
    await assert.rejects(client.watch({ types: [""] }).next(), { code: "INVALID_ARGUMENT" });
    await assert.rejects(client.watch({ ids: ["no-uuid"] }).next(), { code: "INVALID_ARGUMENT" });
    const watch = client.watch();
    await watch.next();
    const waiting = assert.rejects(watch.next(), { code: "UNAVAILABLE" });
    await client.close();
    await waiting;
    await assert.rejects(client.watch().next(), { code: "UNAVAILABLE" });
  });

  it("ends with its client when its reader has fallen behind", limit, async (test) => {
    let broker, id;
    const { socketPath } = await fakeBroker(test, (request, peer) => {
      broker = peer;
      if (request.watch) ({ id } = request);
      peer.send({ id: request.id, ...(request.watch ? { snapshot: {} } : request.ping ? { pong: {} } : { done: {} }) });
    });
    const client = await Client.connect({ socketPath });
    const watch = client.watch();
    await watch.next();
    for (let unread = 0; unread < 10_001; unread += 1) broker.send({ id, event: { changed } });
    await client.ping();
    await client.close();
    assert.equal((await watch.next()).value.kind, "interrupted");
    await assert.rejects(watch.next(), { code: "UNAVAILABLE" });
    assert.equal((await watch.next()).done, true);
  });

  it("that is refused after it has ended harms nobody", limit, async (test) => {
    const { socketPath, connections } = await fakeBroker(test, (request, peer) => {
      if (request.watch) peer.send({ id: request.id, snapshot: {} });
      if (request.unwatch) {
        peer.send({ id: request.unwatch.watch_id, error: { code: "UNAVAILABLE", message: "shutting down" } });
      }
      if (request.ping) peer.send({ id: request.id, pong: {} });
    });
    const client = await Client.connect({ socketPath });
    test.after(() => client.close());
    const watch = client.watch();
    await watch.next();
    await watch.return();
    await client.ping();
    assert.equal(connections(), 1);
  });

  it("that ends before it began costs nothing", limit, async (test) => {
    const broker = await Broker.start(test);
    const client = await broker.connect();
    const watch = client.watch();
    await watch.return();
    assert.deepEqual(await watch.next(), { value: undefined, done: true });
    assert.equal((await client.stats()).watches, 0);
  });

  const interruptions = {
    "the connection is lost": (peer) => peer.close(),
    "the broker drops changes": (peer, id) => peer.send({ id, event: { resync: true } }),
  };
  for (const [name, interrupt] of Object.entries(interruptions)) {
    it(`stays one watch when ${name} while there is no room for another event`, limit, async (test) => {
      /** The ids of the watches, by connection. */
      const open = [];
      let broker;
      const { socketPath } = await fakeBroker(test, ({ id, watch, unwatch }, peer, number) => {
        broker = peer;
        open[number] ??= new Set();
        if (watch) open[number].add(id);
        if (unwatch) open[number].delete(unwatch.watch_id);
        peer.send({ id, ...(watch ? { snapshot: {} } : unwatch ? { done: {} } : { pong: {} }) });
      });
      const client = await Client.connect({ socketPath, ...quick });
      test.after(() => client.close());
      const watch = client.watch();
      assert.equal((await watch.next()).value.kind, "snapshot");
      const [id] = open[1];
      for (let unread = 0; unread < 10_000; unread += 1) broker.send({ id, event: { changed } });
      await client.ping();
      interrupt(broker, id);
      await client.ping();
      const kinds = [];
      while (kinds.at(-1) !== "snapshot") {
        const { kind } = (await watch.next()).value;
        if (kind !== "changed") kinds.push(kind);
      }
      assert.deepEqual(kinds, ["interrupted", "snapshot"]);
      await client.ping();
      assert.equal(open.at(-1).size, 1);
    });
  }

  it("keeps what is unread when the connection is lost while there is no room for another event", limit, async (test) => {
    let isBack;
    const back = new Promise((resolve) => { isBack = resolve; });
    let reopened;
    const { socketPath } = await fakeBroker(test, (request, peer, number) => {
      if (request.ping) return peer.send({ id: request.id, pong: {} });
      if (number > 1) {
        reopened = () => peer.send({ id: request.id, snapshot: {} });
        return isBack();
      }
      peer.send({ id: request.id, snapshot: {} });
      for (let unread = 0; unread < 10_000; unread += 1) peer.send({ id: request.id, event: { changed } });
      peer.close();
    });
    const client = await Client.connect({ socketPath, ...quick });
    test.after(() => client.close());
    const watch = client.watch();
    assert.equal((await watch.next()).value.kind, "snapshot");
    await back;
    for (let unread = 0; unread < 10_000; unread += 1) assert.equal((await watch.next()).value.kind, "changed");
    assert.equal((await watch.next()).value.kind, "interrupted");
    reopened();
    assert.equal((await watch.next()).value.kind, "snapshot");
  });

  for (const requestTimeoutMs of [30_000, Infinity]) {
    it(`misses nothing before its first snapshot, with a time limit of ${requestTimeoutMs} ms`, limit, async (test) => {
      const { socketPath } = await fakeBroker(test, (request, peer, number) =>
        number === 1 ? peer.close() : peer.send({ id: request.id, snapshot: {} }));
      const client = await Client.connect({ socketPath, requestTimeoutMs, ...quick });
      test.after(() => client.close());
      assert.equal((await client.watch().next()).value.kind, "snapshot");
    });
  }

  it("tells once of several losses before the next snapshot", limit, async (test) => {
    const { socketPath } = await fakeBroker(test, (request, peer, number) => {
      if (number !== 2) peer.send({ id: request.id, snapshot: {} });
      if (number < 3) peer.close();
    });
    const client = await Client.connect({ socketPath, ...quick });
    test.after(() => client.close());
    const watch = client.watch();
    const kinds = [];
    while (kinds.length < 3) kinds.push((await watch.next()).value.kind);
    assert.deepEqual(kinds, ["snapshot", "interrupted", "snapshot"]);
  });
});
