import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import { Client, PermanentFailure, RetryableFailure, Worker } from "jobbroker";
import { Broker, limit, until } from "./support/broker.mjs";
import { fakeBroker } from "./support/fake-broker.mjs";
import { Proxy } from "./support/proxy.mjs";

/** A broker, a client for the worker, one for everybody else. */
async function set(test) {
  const broker = await Broker.start(test);
  return { broker, client: await broker.connect({ backoff: { maximumMs: 50 } }), observer: await broker.connect() };
}

/** Runs a worker until the test ends. */
function work(broker, client, options, handler) {
  const worker = new Worker(client, { gracePeriodMs: 0, ...options }, handler);
  const running = worker.run();
  broker.closesAtEnd({ close: () => worker.stop() });
  return { worker, running };
}

/** The job once it is in a status. */
async function inStatus(client, id, status) {
  for await (const event of client.watch({ ids: [id] })) {
    const [job] = event.kind === "snapshot" ? event.jobs : [event.job];
    if (job.status === status) return client.get(id);
  }
}

/** Ends with what the signal was aborted for. */
async function aborted(signal) {
  if (!signal.aborted) await once(signal, "abort");
  throw signal.reason;
}

describe("a job whose handler", () => {
  it("returns is complete, with stage and result", limit, async (test) => {
    const { broker, client, observer } = await set(test);
    work(broker, client, { types: ["ingest"] }, async (job, { report }) => {
      report({ stage: "decoding", progress: 40 });
      return { twice: job.metadata.n * 2 };
    });
    const { job: { id } } = await observer.create({ type: "ingest", metadata: { n: 21 } });
    const job = await inStatus(observer, id, "complete");
    assert.deepEqual([job.result, job.stage], [{ twice: 42 }, "decoding"]);
  });

  it("returns nothing is complete without a result", limit, async (test) => {
    const { broker, client, observer } = await set(test);
    work(broker, client, {}, () => {});
    const { job: { id } } = await observer.create({ type: "ingest" });
    assert.equal((await inStatus(observer, id, "complete")).result, undefined);
  });

  it("returns soon was worth no heartbeat", limit, async (test) => {
    const operations = [];
    let ended;
    const end = new Promise((resolve) => { ended = resolve; });
    const { socketPath } = await fakeBroker(test, ({ id, ...operation }, peer) => {
      operations.push(...Object.keys(operation));
      const job = { id: Buffer.alloc(16, 1), type: "ingest", status: "PROCESSING", attempt: 1 };
      if (operations.length === 1) peer.send({ id, claimed: { jobs: [job] } });
      if (operation.complete) {
        peer.send({ id, job });
        ended();
      }
      if (operation.withdraw) peer.send({ id: operation.withdraw.claim_id, claimed: {} });
    });
    const client = await Client.connect({ socketPath });
    test.after(() => client.close());
    const worker = new Worker(client, {}, () => {});
    const running = worker.run();
    await end;
    await worker.stop();
    await running;
    assert.deepEqual(operations.slice(0, 2), ["claim", "complete"]);
  });

  it("throws a PermanentFailure fails", limit, async (test) => {
    const { broker, client, observer } = await set(test);
    work(broker, client, {}, () => { throw new PermanentFailure("no such file"); });
    const { job: { id } } = await observer.create({ type: "ingest" });
    assert.equal((await inStatus(observer, id, "failed")).error, "no such file");
  });

  for (const [name, error] of [["a RetryableFailure", new RetryableFailure("busy")], ["anything else", "busy"]]) {
    it(`throws ${name} is tried again while it has retries`, limit, async (test) => {
      const { broker, client, observer } = await set(test);
      work(broker, client, {}, async () => {
        // The next try, which is due soon, is not to come before the job is looked at.
        await observer.pause("ingest");
        throw error;
      });
      const { job: { id } } = await observer.create({ type: "ingest", maxRetries: 1 });
      await until(async () => (await observer.get(id)).retryCount === 1);
      const job = await observer.get(id);
      assert.deepEqual([job.status, job.error, job.history[0].cause], ["pending", "busy", "failed"]);
    });
  }

  for (const [name, result] of [
    ["too much", { text: "x".repeat(400_000) }],
    ["no object", 5],
    ["what has no JSON", { toJSON() { throw undefined; } }],
  ]) {
    it(`returns ${name} fails, and says so`, limit, async (test) => {
      const { broker, client, observer } = await set(test);
      work(broker, client, {}, () => result);
      const { job: { id } } = await observer.create({ type: "ingest" });
      assert.match((await inStatus(observer, id, "failed")).error, /the handler's result was refused: .*result/);
    });
  }

  it("throws an error without a text fails nevertheless", limit, async (test) => {
    const { broker, client, observer } = await set(test);
    work(broker, client, {}, () => { throw Object.assign(new PermanentFailure(), { message: { status: 404 } }); });
    const { job: { id } } = await observer.create({ type: "ingest" });
    assert.equal((await inStatus(observer, id, "failed")).error, "[object Object]");
  });
});

it("a cancelled job aborts its handler's signal, and nothing of it counts any more", limit, async (test) => {
  const { broker, client, observer } = await set(test);
  const { job: { id } } = await observer.create({ type: "ingest" });
  let seen;
  const { worker } = work(broker, client, {}, async (_job, { signal, report }) => {
    await observer.cancel(id);
    await aborted(signal).catch((error) => { seen = error; });
    assert.throws(() => report({ progress: 1 }), { code: "STALE_CLAIM" });
    return { late: true };
  });
  await until(() => seen !== undefined);
  await worker.stop();
  assert.deepEqual([seen.name, seen.status], ["ClaimRevoked", "cancelled"]);
  const job = await observer.get(id);
  assert.deepEqual([job.status, job.result], ["cancelled", undefined]);
});

it("jobs are worked on as many at a time as was asked for", limit, async (test) => {
  const { broker, client, observer } = await set(test);
  let running = 0;
  let most = 0;
  let release;
  const three = new Promise((resolve) => { release = resolve; });
  const { worker } = work(broker, client, { concurrency: 3, gracePeriodMs: 10_000 }, async () => {
    running += 1;
    most = Math.max(most, running);
    if (running === 3) release();
    await three;
    running -= 1;
  });
  const made = await observer.createMany(Array.from({ length: 9 }, () => ({ type: "ingest" })));
  await Promise.all(made.map(({ job }) => inStatus(observer, job.id, "complete")));
  await worker.stop();
  assert.equal(most, 3);
});

it("however many jobs a worker does, one by one or at a time, Node suspects no leak", limit, async (test) => {
  const { broker, client, observer } = await set(test);
  const warnings = [];
  const note = (warning) => warnings.push(String(warning));
  process.on("warning", note);
  test.after(() => process.removeListener("warning", note));
  // Node warns from the eleventh listener on.
  const count = 12;
  let running = 0;
  let release;
  const all = new Promise((resolve) => { release = resolve; });
  work(broker, client, { types: ["single"] }, () => {});
  work(broker, client, { types: ["together"], concurrency: count }, () => {
    running += 1;
    if (running === count) release();
    return all;
  });
  const jobs = Array.from({ length: count }, () => [{ type: "single" }, { type: "together" }]).flat();
  const made = await observer.createMany(jobs);
  await Promise.all(made.map(({ job }) => observer.finished(job.id)));
  assert.deepEqual(warnings, []);
});

describe("stopping", () => {
  it("finishes the current job and takes no other", limit, async (test) => {
    const { broker, client, observer } = await set(test);
    const [current, next] = (await observer.createMany([{ type: "a" }, { type: "a" }])).map(({ job }) => job.id);
    let started;
    const begun = new Promise((resolve) => { started = resolve; });
    let finish;
    const { worker, running } = work(broker, client, { gracePeriodMs: 60_000 }, () => {
      started();
      return new Promise((resolve) => { finish = resolve; });
    });
    await begun;
    const stopped = worker.stop();
    finish({ done: true });
    await stopped;
    await running;
    assert.equal((await observer.get(current)).status, "complete");
    assert.equal((await observer.get(next)).status, "pending");
  });

  it("gives back what can't finish in time, unharmed", limit, async (test) => {
    const { broker, client, observer } = await set(test);
    const { job: { id } } = await observer.create({ type: "ingest" });
    let started;
    const begun = new Promise((resolve) => { started = resolve; });
    const { worker } = work(broker, client, { gracePeriodMs: 0 }, (_job, { signal }) => {
      started();
      return aborted(signal);
    });
    await begun;
    await worker.stop();
    const job = await observer.get(id);
    assert.deepEqual([job.status, job.retryCount, job.history[0].cause], ["pending", 0, "released"]);
  });

  it("happens on an aborted signal and on SIGTERM", limit, async (test) => {
    const { client } = await set(test);
    const controller = new AbortController();
    const running = new Worker(client, {}, () => {}).run({ signal: controller.signal });
    controller.abort();
    await running;
    const other = new Worker(client, { stopOn: ["SIGTERM"] }, () => {}).run();
    process.kill(process.pid, "SIGTERM");
    await other;
    assert.equal(process.listenerCount("SIGTERM"), 0, "the process can be ended again");
  });

  /** A worker at a job that ends when its signal is aborted, or by `finish`. */
  async function busy(test, options) {
    const { broker, client, observer } = await set(test);
    const { job: { id } } = await observer.create({ type: "ingest" });
    const handler = {};
    const begun = new Promise((resolve) => {
      handler.run = (_job, { signal }) => {
        const finished = new Promise((done) => { handler.finish = done; });
        handler.signal = signal;
        resolve();
        return Promise.race([finished, aborted(signal)]);
      };
    });
    const { worker } = work(broker, client, { gracePeriodMs: Infinity, ...options }, handler.run);
    await begun;
    return { broker, observer, id, handler, worker };
  }

  async function assertReleased(observer, id) {
    const { status, history } = await observer.get(id);
    assert.deepEqual([status, history.map(({ cause }) => cause)], ["pending", ["released"]]);
  }

  it("a second time gives back the current job at once", limit, async (test) => {
    const { observer, id, worker } = await busy(test);
    void worker.stop();
    await worker.stop();
    await assertReleased(observer, id);
  });

  it("by a second signal gives back the current job at once", limit, async (test) => {
    const { observer, id, handler } = await busy(test, { stopOn: ["SIGHUP"] });
    for (let i = 0; i < 2; i += 1) {
      const heard = once(process, "SIGHUP");
      process.kill(process.pid, "SIGHUP");
      await heard;
      assert.equal(handler.signal.aborted, i === 1);
    }
    await until(async () => (await observer.get(id)).status === "pending");
    await assertReleased(observer, id);
  });

  it("by a signal and by a program that hands it on is once", limit, async (test) => {
    const { observer, id, handler, worker } = await busy(test, { stopOn: ["SIGHUP"] });
    const heard = once(process, "SIGHUP");
    process.kill(process.pid, "SIGHUP");
    await heard;
    const stopped = worker.stop();
    assert.equal(handler.signal.aborted, false);
    handler.finish({});
    await stopped;
    assert.equal((await observer.get(id)).status, "complete");
  });

  it("withdraws the claim, so that no job is taken for nobody", limit, async (test) => {
    const { broker, client, observer } = await set(test);
    const { worker } = work(broker, client, {}, () => {});
    await until(async () => (await observer.stats()).waitingClaims === 1);
    await worker.stop();
    assert.equal((await observer.stats()).waitingClaims, 0);
    const { job } = await observer.create({ type: "ingest" });
    assert.equal((await observer.get(job.id)).attempt, 0);
  });

  it("has given back what came meanwhile when it is over", limit, async (test) => {
    const id = Buffer.from("0193a5f0c2007abc8def0123456789ab", "hex");
    const seen = [];
    let claim;
    let worker;
    const peer = await fakeBroker(test, (request, broker) => {
      seen.push(Object.keys(request).find((name) => name !== "id"));
      if (request.claim) {
        claim = request.id;
        void worker.stop();
      } else if (request.withdraw) {
        broker.send({ id: claim, claimed: { jobs: [{ id, status: "PROCESSING", attempt: 1 }] } });
      } else {
        broker.send({ id: request.id, job: { id, status: "PENDING" } });
      }
    });
    const client = await Client.connect({ socketPath: peer.socketPath });
    test.after(() => client.close());
    worker = new Worker(client, {}, () => assert.fail("it takes no new jobs"));
    await worker.run();
    assert.deepEqual(seen, ["claim", "withdraw", "release"]);
  });

  it("has waited for all that it gave back, though some is refused", limit, async (test) => {
    const jobs = ["01", "02"].map((end) => ({
      id: Buffer.from(`0193a5f0c2007abc8def0123456789${end}`, "hex"), status: "PROCESSING", attempt: 1,
    }));
    const releases = [];
    let claim;
    let worker;
    let asked;
    const both = new Promise((resolve) => { asked = resolve; });
    let peer;
    const { socketPath } = await fakeBroker(test, (request, broker) => {
      peer = broker;
      if (request.claim) {
        claim = request.id;
        void worker.stop();
      } else if (request.withdraw) {
        broker.send({ id: claim, claimed: { jobs } });
      } else if (request.release) {
        releases.push(request.id);
        if (releases.length === jobs.length) asked();
      } else {
        broker.send({ id: request.id, pong: {} });
      }
    });
    const client = await Client.connect({ socketPath });
    test.after(() => client.close());
    worker = new Worker(client, { concurrency: 2 }, () => assert.fail("it takes no new jobs"));
    let isOver = false;
    const running = worker.run().then(() => { isOver = true; });
    await both;
    peer.send({ id: releases[0], error: { code: "INTERNAL", message: "no" } });
    await client.ping();
    await new Promise(setImmediate);
    assert.equal(isOver, false);
    peer.send({ id: releases[1], job: { ...jobs[1], status: "PENDING" } });
    await running;
  });

  describe("does not wait for a broker that", () => {
    it("is away", limit, async (test) => {
      const { broker, client } = await set(test);
      const { worker } = work(broker, client, {}, () => {});
      await until(async () => (await client.stats()).waitingClaims === 1);
      await broker.kill();
      await worker.stop();
    });

    it("is away when a job has ended", limit, async (test) => {
      const broker = await Broker.start(test);
      const client = await broker.connect({ requestTimeoutMs: Infinity });
      await client.create({ type: "ingest" });
      let ended;
      const ending = new Promise((resolve) => { ended = resolve; });
      const { worker } = work(broker, client, {}, async () => {
        await broker.kill();
        ended();
      });
      await ending;
      await worker.stop();
    });

    it("does not answer", limit, async (test) => {
      let asked;
      const claimed = new Promise((resolve) => { asked = resolve; });
      const peer = await fakeBroker(test, (request) => request.claim && asked());
      const client = await Client.connect({ socketPath: peer.socketPath, requestTimeoutMs: Infinity });
      test.after(() => client.close());
      const worker = new Worker(client, { gracePeriodMs: 0 }, () => {});
      const running = worker.run();
      await claimed;
      await worker.stop();
      await running;
    });
  });

  it("without having run is at once", limit, async (test) => {
    const { client } = await set(test);
    const worker = new Worker(client, {}, () => {});
    await worker.stop();
    await worker.run();
  });
});

it("claiming that is pointless ends the worker", limit, async (test) => {
  const { broker, client } = await set(test);
  await assert.rejects(new Worker(client, { leaseMs: 1 }, () => {}).run(), { code: "INVALID_ARGUMENT" });
  const reader = await broker.connect({ readOnly: true });
  await assert.rejects(new Worker(reader, {}, () => {}).run(), { code: "PERMISSION_DENIED" });
  assert.throws(() => new Worker(client, { concurrency: 0 }, () => {}), RangeError);
});

it("a worker that has ended by itself leaves no timer behind when it is stopped", limit, async (test) => {
  const { client } = await set(test);
  const worker = new Worker(client, { leaseMs: 1 }, () => {});
  await assert.rejects(worker.run(), { code: "INVALID_ARGUMENT" });
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
  const before = timers();
  await worker.stop();
  assert.equal(timers(), before);
});

it("a job is kept while the broker is killed and comes back, and completed then", limit, async (test) => {
  const { broker, client, observer } = await set(test);
  const { job: { id } } = await observer.create({ type: "ingest" });
  work(broker, client, {}, async () => {
    await broker.restart();
    return { ok: true };
  });
  const job = await inStatus(observer, id, "complete").catch(() => inStatus(observer, id, "complete"));
  assert.deepEqual([job.attempt, job.lostCount, job.result], [1, 0, { ok: true }]);
});

it("a completion whose reply was lost counts once", limit, async (test) => {
  const { broker, observer } = await set(test);
  const proxy = await Proxy.start(test, broker);
  const client = await broker.connect({ socketPath: proxy.socketPath, backoff: { maximumMs: 50 } });
  const { job: { id } } = await observer.create({ type: "ingest" });
  const { worker } = work(broker, client, { gracePeriodMs: 10_000 }, () => {
    proxy.loseReplies();
    return { ok: true };
  });
  await inStatus(observer, id, "complete");
  proxy.cut();
  await worker.stop();
  const job = await observer.get(id);
  assert.deepEqual([job.status, job.attempt, job.history.length], ["complete", 1, 0]);
});
