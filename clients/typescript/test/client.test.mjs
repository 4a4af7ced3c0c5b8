import assert from "node:assert/strict";
import { chownSync, mkdirSync, mkdtempSync, renameSync, rmSync, rmdirSync, symlinkSync } from "node:fs";
import { describe, it } from "node:test";
import { Client, JobBrokerError, newJobId } from "jobbroker";
import { objection } from "../dist/socket-path.js";
import { Broker, limit, until } from "./support/broker.mjs";
import { fakeBroker, losePatience, welcome } from "./support/fake-broker.mjs";

const processing = {
  id: Buffer.from("0193a5f0c2007abc8def0123456789ab", "hex"), type: "ingest", status: "PROCESSING", attempt: 3,
};

async function connected(test, options) {
  const broker = await Broker.start(test);
  return { broker, client: await broker.connect(options) };
}

describe("connecting", () => {
  it("without a broker says where it looked and how to start one", limit, async () => {
    const socketPath = "/tmp/there-is-no-broker-here";
    await assert.rejects(Client.connect({ socketPath }), {
      name: "JobBrokerError", code: "UNAVAILABLE", message: /\/tmp\/there-is-no-broker-here.*ENOENT.*jobbrokerd --socket/,
    });
  });

  it("is refused in a directory of /tmp that belongs to somebody else", limit, async (test) => {
    // A user that is not this one, nor that of another run.
    const uid = 3_300_000_000 + process.pid;
    const directory = `/tmp/jobbroker-${uid}`;
    const socketPath = `${directory}/jobbroker.sock`;
    test.mock.method(process, "getuid", () => uid);
    assert.throws(() => objection(socketPath, uid), { code: "ENOENT" });
    await assert.rejects(Client.connect({ socketPath }), { code: "UNAVAILABLE", message: /ENOENT.*jobbrokerd --socket/ });
    mkdirSync(directory);
    test.after(() => rmdirSync(directory));
    await assert.rejects(Client.connect({ socketPath, waitsForBroker: true }), {
      code: "PERMISSION_DENIED", message: /\/tmp\/jobbroker-\d+ belongs to another user/,
    });
  });

  it("finds a broker whose directory in /tmp was missing", {
    ...limit, skip: process.getuid() !== 0 && "only root can give a directory to somebody else",
  }, async (test) => {
    const broker = await Broker.start(test);
    // Nobody's, so that no other test uses it.
    const uid = 3_500_000_000 + process.pid;
    const directory = `/tmp/jobbroker-${uid}`;
    test.mock.method(process, "getuid", () => uid);
    let client;
    await new Promise((missed) => {
      const logger = { ...console, debug: (text) => text.includes("ENOENT") && missed() };
      client = broker.closesAtEnd(new Client({ socketPath: `${directory}/jobbroker.sock`, logger }));
    });
    const pong = client.ping();
    const whole = mkdtempSync("/tmp/jobbroker-ts-");
    symlinkSync(broker.socketPath, `${whole}/jobbroker.sock`);
    chownSync(whole, uid, -1);
    // It comes with its owner.
    renameSync(whole, directory);
    test.after(() => rmSync(directory, { recursive: true }));
    await pong;
  });

  it("waits for a broker that is not there yet", limit, async (test) => {
    const broker = await Broker.start(test);
    await broker.kill();
    const client = broker.closesAtEnd(new Client({ socketPath: broker.socketPath }));
    const pong = client.ping();
    await broker.start();
    await pong;
    assert.match(client.welcome.server, /^jobbrokerd\//);
  });

  it("refuses a path that no socket can have", limit, async () => {
    await assert.rejects(Client.connect({ socketPath: `/tmp/${"x".repeat(200)}` }), { code: "INVALID_ARGUMENT" });
  });

  it("can be aborted", limit, async () => {
    const controller = new AbortController();
    const connecting = Client.connect({
      socketPath: "/tmp/there-is-no-broker-here", waitsForBroker: true, signal: controller.signal,
    });
    controller.abort();
    await assert.rejects(connecting, { name: "AbortError" });
  });

  it("a read-only client may look and not touch", limit, async (test) => {
    const { client } = await connected(test, { readOnly: true });
    await assert.rejects(client.create({ type: "ingest" }), { code: "PERMISSION_DENIED" });
    assert.deepEqual((await client.list()).jobs, []);
  });

  it("calls on a closed client are rejected", limit, async (test) => {
    const { client } = await connected(test);
    const waiting = assert.rejects(client.claim({ waitMs: 60_000 }), {
      code: "UNAVAILABLE", message: "the client is closed",
    });
    await client.close();
    await waiting;
    await assert.rejects(client.ping(), { code: "UNAVAILABLE", message: "the client is closed" });
    assert.equal(client.ending.code, "UNAVAILABLE");
  });
});

describe("jobs", () => {
  it("live from create to complete", limit, async (test) => {
    const { client } = await connected(test, { workerName: "w-1" });
    const metadata = { url: "https://example.org/ž.wav", nested: { list: [1, null, true, "🎧"] } };
    const { job, created } = await client.create({ type: "ingest", metadata, priority: -3, uniqueKey: "k" });
    assert.equal(created, true);
    assert.deepEqual(
      { type: job.type, status: job.status, priority: job.priority, uniqueKey: job.uniqueKey, attempt: job.attempt },
      { type: "ingest", status: "pending", priority: -3, uniqueKey: "k", attempt: 0 });
    assert.deepEqual(await client.position(job.id), { position: 0, positionInType: 0 });

    const [held] = await client.claim({ types: ["ingest"] });
    assert.deepEqual(held.metadata, metadata);
    assert.deepEqual([held.id, held.attempt, held.worker.name, held.worker.pid], [job.id, 1, "w-1", process.pid]);
    assert.ok(held.leaseExpiresAt > held.startedAt);

    const { attempt } = held;
    assert.equal((await client.update(job.id, { stage: "decoding", progress: 12.5 }, { attempt })).progress, 12.5);
    assert.equal((await client.update(job.id, { stage: null }, { attempt })).stage, undefined);
    assert.equal((await client.complete(job.id, { lufs: -14.2 }, { attempt })).status, "complete");

    const done = await client.get(job.id);
    assert.deepEqual([done.status, done.progress, done.result], ["complete", 100, { lufs: -14.2 }]);
    assert.ok(done.finishedAt >= done.createdAt);
    assert.deepEqual(done.metadata, metadata);
  });

  it("created twice with one id are one job; with other content they are refused", limit, async (test) => {
    const { client } = await connected(test);
    const job = { id: newJobId(), type: "ingest", metadata: { a: 1 } };
    assert.equal((await client.create(job)).created, true);
    assert.equal((await client.create(job)).created, false);
    await assert.rejects(client.create({ ...job, metadata: { a: 2 } }), (error) => {
      assert.ok(error instanceof JobBrokerError);
      assert.deepEqual([error.code, error.job.id], ["ALREADY_EXISTS", job.id]);
      return true;
    });
  });

  it("are made all or none", limit, async (test) => {
    const { client } = await connected(test);
    await assert.rejects(client.createMany([{ type: "a" }, { type: "" }]), { code: "INVALID_ARGUMENT" });
    assert.deepEqual((await client.list()).jobs, []);
    const made = await client.createMany([{ type: "a" }, { type: "b", notBefore: new Date(Date.now() + 3_600_000) }]);
    assert.deepEqual(made.map(({ job }) => job.type), ["a", "b"]);
    assert.ok(made[1].job.notBefore > new Date());
  });

  it("with exact integers and any Unicode come back as they were", limit, async (test) => {
    const { client } = await connected(test);
    const metadata = {
      max: Number.MAX_SAFE_INTEGER, beyond: 9007199254740993n, negative: -(2n ** 63n), huge: 10n ** 40n,
      number: 2 ** 53 + 2, large: 1e21, tiny: 5e-324, zero: 0, fraction: 0.1234567890123456,
      "clé 🎧": "\ud800 \u0000 \u2028 \"\\", __proto__x: null, digits: "12345678901234567890",
    };
    const { job } = await client.create({ type: "ingest", metadata });
    assert.deepEqual((await client.get(job.id)).metadata, metadata);
  });

  it("that do not exist are undefined, or NOT_FOUND", limit, async (test) => {
    const { client } = await connected(test);
    const id = newJobId();
    assert.equal(await client.get(id), undefined);
    assert.deepEqual(await client.position(id), { position: -1, positionInType: -1 });
    await assert.rejects(client.cancel(id), { code: "NOT_FOUND", message: `Job ${id} not found` });
    await assert.rejects(client.get("no-id"), { code: "INVALID_ARGUMENT", message: /"no-id" is not a job's id/ });
  });

  it("are listed page by page, newest first", limit, async (test) => {
    const { client } = await connected(test);
    const made = await client.createMany(Array.from({ length: 7 }, (_, index) => ({ type: `t${index % 2}` })));
    const newestFirst = made.map(({ job }) => job.id).reverse();
    const page = await client.list({ limit: 3 });
    assert.deepEqual(page.jobs.map((job) => job.id), newestFirst.slice(0, 3));
    const all = [];
    for await (const job of client.listAll({ limit: 3 })) all.push(job.id);
    assert.deepEqual(all, newestFirst);
    assert.equal((await client.list({ type: "t1", status: "pending" })).jobs.length, 3);
    assert.equal((await client.list({ idPrefix: newestFirst[0].replaceAll("-", "") })).jobs.length, 1);
  });

  it("fail, are retried, released, cancelled, deleted, with their history", limit, async (test) => {
    const { client } = await connected(test);
    const { job: { id } } = await client.create({ type: "ingest" });
    await client.claim();
    assert.equal((await client.release(id, { attempt: 1 })).status, "pending");
    await client.claim();
    assert.equal((await client.fail(id, "disk full", { attempt: 2, retryable: true })).status, "pending");
    await client.cancel(id);
    assert.equal((await client.cancel(id)).status, "cancelled");
    assert.equal((await client.retry(id)).status, "pending");
    assert.deepEqual(
      (await client.get(id)).history.map(({ attempt, cause, error }) => [attempt, cause, error]),
      [[1, "released", undefined], [2, "failed", "disk full"]]);
    await client.delete(id);
    assert.equal(await client.get(id), undefined);
  });

  it("what JSON can't hold is refused before it is sent", limit, async (test) => {
    const { client } = await connected(test);
    const cycle = {};
    cycle.self = cycle;
    await assert.rejects(client.create({ type: "a", metadata: cycle }), { code: "INVALID_ARGUMENT", message: /metadata/ });
    await assert.rejects(client.create({ type: "a", metadata: () => {} }), { code: "INVALID_ARGUMENT" });
    await assert.rejects(client.create({ type: "a", metadata: [1] }), { code: "INVALID_ARGUMENT" });
    await assert.rejects(client.create({ type: "a", metadata: { x: "y".repeat(400_000) } }), { code: "INVALID_ARGUMENT" });
    await client.ping();
  });
});

describe("claims", () => {
  it("a blocked claim is answered by the create that it waits for", limit, async (test) => {
    const { broker, client } = await connected(test);
    const worker = await broker.connect();
    const claimed = worker.claim({ types: ["late"], waitMs: 60_000 });
    await until(async () => (await client.stats()).waitingClaims === 1);
    await client.create({ type: "other" });
    const { job } = await client.create({ type: "late" });
    assert.deepEqual((await claimed).map(({ id }) => id), [job.id]);
  });

  it("waits only for what is left of its time when it is sent late", limit, async (test) => {
    let asked;
    const waitMs = 60_000;
    let sent;
    const claim = new Promise((resolve) => { sent = resolve; });
    const peer = await fakeBroker(test, async (request, broker) => {
      if (request.claim) return sent(request.claim);
      await until(() => performance.now() >= asked + 2);
      broker.send({ id: request.id, welcome });
    }, { greets: false });
    const client = new Client({ socketPath: peer.socketPath });
    test.after(() => client.close());
    const claiming = assert.rejects(client.claim({ waitMs }), { code: "UNAVAILABLE" });
    asked = performance.now();
    assert.ok((await claim).wait_ms < waitMs);
    await client.close();
    await claiming;
  });

  it("of what is no list of types are refused", limit, async (test) => {
    const { client } = await connected(test);
    await client.create({ type: "i" });
    for (const types of ["ingest", null, new Set(["i"])]) {
      await assert.rejects(client.claim({ types }), { code: "INVALID_ARGUMENT", message: /^claim.types is .* list/ });
    }
  });

  it("a late completion is refused; a repeated one is answered as the first time", limit, async (test) => {
    const { client } = await connected(test);
    const { job: { id } } = await client.create({ type: "ingest" });
    await client.claim();
    await client.release(id, { attempt: 1 });
    await client.claim();
    await assert.rejects(client.complete(id, { late: true }, { attempt: 1 }), (error) => {
      assert.deepEqual([error.code, error.job.status, error.job.attempt], ["STALE_CLAIM", "processing", 2]);
      return true;
    });
    const first = await client.complete(id, {}, { attempt: 2 });
    assert.deepEqual(await client.complete(id, {}, { attempt: 2 }), first);
    await assert.rejects(client.complete(id), { code: "JOB_FINISHED" });
  });
});

describe("aborted calls", () => {
  it("return at once, and a claim is withdrawn: it takes no job any more", limit, async (test) => {
    const { broker, client } = await connected(test);
    const worker = await broker.connect();
    const controller = new AbortController();
    const claimed = worker.claim({ waitMs: 60_000 }, { signal: controller.signal });
    await until(async () => (await client.stats()).waitingClaims === 1);
    controller.abort(new Error("enough"));
    await assert.rejects(claimed, { message: "enough" });
    await until(async () => (await client.stats()).waitingClaims === 0);
    const { job: { id } } = await client.create({ type: "ingest" });
    assert.deepEqual((await client.claim()).map((job) => [job.id, job.attempt]), [[id, 1]]);
  });

  it("give back a job that comes while a claim is withdrawn", limit, async (test) => {
    const controller = new AbortController();
    let givenBack;
    const released = new Promise((resolve) => { givenBack = resolve; });
    let claim;
    const peer = await fakeBroker(test, (request, broker) => {
      if (request.claim) {
        claim = request.id;
        controller.abort();
      } else if (request.withdraw) {
        assert.equal(request.withdraw.claim_id, claim);
        broker.send({ id: claim, claimed: { jobs: [processing] } });
        broker.send({ id: request.id, done: {} });
      } else {
        givenBack(request.release);
      }
    });
    const client = await Client.connect({ socketPath: peer.socketPath });
    test.after(() => client.close());
    await assert.rejects(client.claim({ waitMs: 60_000 }, { signal: controller.signal }), { name: "AbortError" });
    const { id, attempt } = await released;
    assert.deepEqual([Buffer.from(id), attempt], [processing.id, 3]);
  });

  it("that nobody answered in time withdraw a claim, too", limit, async (test) => {
    let withdrawn;
    const claim = new Promise((resolve) => { withdrawn = resolve; });
    const peer = await fakeBroker(test, (request) => request.withdraw && withdrawn(request.withdraw.claim_id));
    const client = await Client.connect({ socketPath: peer.socketPath });
    test.after(() => client.close());
    losePatience(client, 20);
    await assert.rejects(client.claim({ waitMs: 1 }), { code: "UNAVAILABLE", message: /no reply within 21 ms/ });
    assert.equal(await claim, 2);
  });

  it("that were aborted before are not sent", limit, async (test) => {
    const { client } = await connected(test);
    await assert.rejects(client.create({ type: "ingest" }, { signal: AbortSignal.abort() }), { name: "AbortError" });
    assert.deepEqual((await client.list()).jobs, []);
  });
});

describe("the operator's calls", () => {
  it("pause and resume a type", limit, async (test) => {
    const { client } = await connected(test);
    await client.create({ type: "preview" });
    await client.pause("preview");
    assert.deepEqual(await client.claim(), []);
    assert.equal((await client.stats()).types[0].paused, true);
    await client.resume("preview");
    assert.equal((await client.claim()).length, 1);
  });

  it("reap, prune and back up", limit, async (test) => {
    const { broker, client } = await connected(test);
    const { job } = await client.create({ type: "ingest" });
    await client.claim();
    await until(async () => (await client.reap(0, { type: "ingest" })) === 1);
    assert.equal((await client.get(job.id)).status, "failed");
    await client.backup(`${broker.socketPath}-backup`);
    await assert.rejects(client.backup(`${broker.socketPath}-backup`), { code: "ALREADY_EXISTS" });
    await until(async () => (await client.prune(0, { status: "failed" })) === 1);
    assert.equal(await client.get(job.id), undefined);
  });

  it("tell who is connected and holds what", limit, async (test) => {
    const { client } = await connected(test, { workerName: "holder", clientName: "tests/1" });
    const { job } = await client.create({ type: "ingest" });
    await client.claim();
    const { workers: [me], truncated } = await client.workers();
    assert.equal(truncated, false);
    assert.deepEqual([me.holder.name, me.holder.pid, me.client], ["holder", process.pid, "tests/1"]);
    assert.deepEqual(me.holds, [{ id: job.id, attempt: 1, type: "ingest" }]);
  });
});

it("counters and workers say when something is left out", limit, async (test) => {
  let truncated = true;
  const peer = await fakeBroker(test, ({ id, stats }, broker) =>
    broker.send(stats ? { id, stats: { truncated } } : { id, workers: { truncated } }));
  const client = await Client.connect({ socketPath: peer.socketPath });
  test.after(() => client.close());
  for (truncated of [true, false]) {
    assert.equal((await client.stats()).truncated, truncated);
    assert.deepEqual(await client.workers(), { workers: [], truncated });
  }
});

it("many calls at a time are answered, each with its own reply", limit, async (test) => {
  const { client } = await connected(test);
  const made = await Promise.all(
    Array.from({ length: 1000 }, (_, index) => client.create({ type: "ingest", metadata: { index } })));
  const found = await Promise.all(made.map(({ job }) => client.get(job.id)));
  assert.deepEqual(found.map((job) => job.metadata.index), Array.from({ length: 1000 }, (_, index) => index));
});
