// Claims that a client looks after: their heartbeats, reports and revocations.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Client, ClaimRevoked, JobBrokerError } from "jobbroker";
import { Broker, limit, until } from "./support/broker.mjs";
import { fakeBroker, welcome } from "./support/fake-broker.mjs";

const uuid = "0193a5f0-c200-7abc-8def-0123456789ab";
const processing = { id: Buffer.from(uuid.replaceAll("-", ""), "hex"), type: "ingest", status: "PROCESSING", attempt: 1 };

async function connected(test) {
  const broker = await Broker.start(test);
  return { broker, client: await broker.connect() };
}

describe("a held claim", () => {
  it("a cancelled job's holder is told by its signal", limit, async (test) => {
    const { broker, client } = await connected(test);
    const worker = await broker.connect();
    const { job: { id } } = await client.create({ type: "ingest" });
    const [job] = await worker.claim();
    const claim = worker.hold(job);
    assert.equal(worker.hold(job), claim, "held twice it is the same");
    const revoked = new Promise((resolve) => claim.signal.addEventListener("abort", () => resolve(claim.signal.reason)));
    await client.cancel(id);
    const reason = await revoked;
    assert.ok(reason instanceof ClaimRevoked && reason instanceof JobBrokerError);
    assert.deepEqual([reason.code, reason.status, reason.claim], ["STALE_CLAIM", "cancelled", { id, attempt: 1 }]);
    assert.throws(() => claim.report({ progress: 1 }), { code: "STALE_CLAIM" });
    assert.equal(worker.hold(job).signal.aborted, false, "a notice is told once");
  });

  it("a notice that comes before the claim is held is not lost", limit, async (test) => {
    const { client } = await connected(test);
    const { job: { id } } = await client.create({ type: "ingest" });
    const [job] = await client.claim();
    await client.cancel(id);
    await client.ping();
    assert.equal(client.hold(job).signal.reason.status, "cancelled");
  });

  it("is heartbeaten while it is held, and not afterwards", limit, async (test) => {
    const { broker, client } = await connected(test);
    const worker = await broker.connect();
    const { job: { id } } = await client.create({ type: "ingest" });
    /** Follows the job until it is as it should be. */
    async function followed(isSo) {
      for await (const event of client.watch({ ids: [id] })) {
        const [seen] = event.kind === "snapshot" ? event.jobs : [event.job];
        if (isSo(seen)) return seen;
      }
    }
    // Held as if its lease were short; the one it has outlasts a standstill of the machine.
    let [job] = await worker.claim({ leaseMs: 30_000 });
    let claim = worker.hold(job, { leaseMs: 100 });
    for (let i = 0; i < 3; i += 1) {
      const beaten = await followed(({ leaseExpiresAt, status }) =>
        status !== "processing" || leaseExpiresAt > job.leaseExpiresAt);
      assert.deepEqual([beaten.status, beaten.attempt], ["processing", 1]);
      job = beaten;
    }
    claim.drop();
    await worker.release(id, { attempt: 1 });
    // This one is short. Whether it is dropped or such a standstill comes first: the broker takes the job back.
    [job] = await worker.claim({ leaseMs: 300 });
    claim = worker.hold(job, { leaseMs: 100 });
    await followed(({ leaseExpiresAt, status }) => status === "pending" || leaseExpiresAt > job.leaseExpiresAt);
    claim.drop();
    assert.equal((await followed(({ status }) => status === "pending")).lostCount, 1);
  });

  it("is heartbeaten at once, for its lease may be nearly over", limit, async (test) => {
    const { client } = await connected(test);
    const { job: { id } } = await client.create({ type: "ingest" });
    const leaseMs = 3_600_000;
    const [job] = await client.claim({ leaseMs });
    const watch = client.watch({ ids: [id] });
    await watch.next();
    client.hold(job, { leaseMs });
    assert.equal((await watch.next()).value.kind, "changed");
  });

  it("held twice is heartbeaten until it is dropped twice", limit, async (test) => {
    const { client } = await connected(test);
    const { job: { id } } = await client.create({ type: "ingest" });
    const [job] = await client.claim({ leaseMs: 3_600_000 });
    const outer = client.hold(job, { leaseMs: 30 });
    client.hold(job).drop();
    assert.equal(outer.isHeld, true);
    const { updatedAt } = await client.get(id);
    await until(async () => (await client.get(id)).updatedAt > updatedAt);
    outer.drop();
    assert.equal(outer.isHeld, false);
  });

  it("held twice is over for both when it is revoked", limit, async (test) => {
    const { client } = await connected(test);
    const { job: { id } } = await client.create({ type: "ingest" });
    const [job] = await client.claim();
    client.hold(job);
    const claim = client.hold(job);
    await client.cancel(id);
    await client.ping();
    assert.deepEqual([claim.signal.reason?.status, claim.isHeld], ["cancelled", false]);
  });

  it("held anew is not dropped by who dropped it before", limit, async (test) => {
    const { client } = await connected(test);
    await client.create({ type: "ingest" });
    const [job] = await client.claim();
    const before = client.hold(job);
    before.drop();
    const claim = client.hold(job);
    before.drop();
    assert.equal(claim.isHeld, true);
  });

  for (const [name, options] of [["none", { heartbeats: false }], ["fewer", { leaseMs: 3_600_000 }]]) {
    it(`is heartbeaten at once, and from then on, for a holder that asks for it after one who wanted ${name}`, limit,
      async (test) => {
        let heartbeats = 0;
        const { socketPath } = await fakeBroker(test, ({ id, update }, peer) => {
          if (update) heartbeats += 1;
          peer.send(update ? { id, job: processing } : { id, pong: {} });
        });
        const client = await Client.connect({ socketPath });
        test.after(() => client.close());
        const token = { id: uuid, attempt: 1 };
        client.hold(token, options);
        await client.ping();
        const before = heartbeats;
        client.hold(token, { leaseMs: 1_800_000 });
        await client.ping();
        assert.equal(heartbeats, before + 1);
        client.hold(token, { leaseMs: 30 });
        await until(() => heartbeats >= before + 4);
      });
  }

  it("reports are merged and the last one wins", limit, async (test) => {
    const { client } = await connected(test);
    const { job: { id } } = await client.create({ type: "ingest" });
    const [job] = await client.claim();
    const claim = client.hold(job);
    for (let progress = 0; progress <= 100; progress += 1) claim.report({ stage: "decoding", progress });
    claim.report({ stage: null });
    await until(async () => (await client.get(id)).progress === 100);
    assert.equal((await client.get(id)).stage, undefined);
    assert.throws(() => claim.report({ progress: 101 }), { code: "INVALID_ARGUMENT" });
    assert.throws(() => claim.report({ stage: "x".repeat(257) }), { code: "INVALID_ARGUMENT" });
  });

  const spellings = { "in upper case": uuid.toUpperCase(), "without dashes": uuid.replaceAll("-", "") };
  for (const [name, id] of Object.entries(spellings)) {
    it(`hears of its revocation when its id was written ${name}`, limit, async (test) => {
      const { socketPath } = await fakeBroker(test, (request, peer) => {
        peer.send({ id: 0, revoked: { id: processing.id, attempt: 1, status: "CANCELLED", reason: "cancelled" } });
        peer.send({ id: request.id, pong: {} });
      });
      const client = await Client.connect({ socketPath });
      test.after(() => client.close());
      const claim = client.hold({ id, attempt: 1 });
      assert.equal(client.hold({ id: uuid, attempt: 1 }), claim, "it is the same however it is written");
      await client.ping();
      assert.deepEqual([claim.signal.reason?.status, claim.isHeld], ["cancelled", false]);
    });
  }

  it("needs the id of a job", limit, async (test) => {
    const { client } = await connected(test);
    assert.throws(() => client.hold({ id: "no-uuid", attempt: 1 }), { code: "INVALID_ARGUMENT" });
  });
});

/** A client that has sent a ping, as many requests as its peer allows in flight, and has two more in line. */
async function crowded(test) {
  const requests = [];
  let peer;
  const { socketPath } = await fakeBroker(test, (request, broker) => {
    peer = broker;
    if (request.hello) broker.send({ id: request.id, welcome: { ...welcome, max_in_flight: 1 } });
    else requests.push(request);
  }, { greets: false });
  const next = async () => {
    await until(() => requests.length > 0);
    return requests.shift();
  };
  const client = await Client.connect({ socketPath, backoff: { initialMs: 1 } });
  test.after(() => client.close());
  const pings = Array.from({ length: 3 }, () => client.ping());
  await next();
  return {
    client, next,
    cut: () => peer.close(),
    /** Answers the pings, all that is left. */
    answerPings: async () => {
      for (const ping of pings) {
        const { id, ping: isPing } = await next();
        assert.ok(isPing, "one heartbeat for each claim is enough");
        peer.send({ id, pong: {} });
        await ping;
      }
    },
    /** The next request, which is to be a heartbeat. */
    nextHeartbeat: async () => {
      const { id, update } = await next();
      assert.ok(update, "it is no heartbeat");
      peer.send({ id, job: { ...processing, id: update.id } });
      return update;
    },
  };
}

describe("on the next connection the heartbeats go before all that is in line", () => {
  it("also one that was in line itself", limit, async (test) => {
    const { client, cut, nextHeartbeat, answerPings } = await crowded(test);
    client.hold({ id: uuid, attempt: 1 }, { heartbeats: false }).report({ progress: 50 });
    cut();
    assert.equal((await nextHeartbeat()).progress, 50);
    await answerPings();
  });

  it("when there are several", limit, async (test) => {
    const { client, cut, nextHeartbeat, answerPings } = await crowded(test);
    for (const attempt of [1, 2]) client.hold({ id: uuid, attempt }, { heartbeats: false });
    cut();
    assert.deepEqual([(await nextHeartbeat()).attempt, (await nextHeartbeat()).attempt], [1, 2]);
    await answerPings();
  });
});

describe("while its other requests go unanswered", () => {
  /** A client that holds a claim, and the operations that come from it. */
  async function holding(test) {
    const requests = [];
    let peer;
    const { socketPath } = await fakeBroker(test, (request, broker) => {
      peer = broker;
      requests.push(request);
    });
    const client = await Client.connect({ socketPath });
    test.after(() => client.close());
    return {
      client, requests,
      claim: client.hold({ id: uuid, attempt: 1 }, { heartbeats: false }),
      answer: ({ id }) => peer.send({ id, job: processing }),
      came: (operation, count) => until(() => requests.filter((request) => request[operation]).length >= count),
      count: (operation) => requests.filter((request) => request[operation]).length,
    };
  }

  it("a client has places left for heartbeats and withdrawals", limit, async (test) => {
    const { client, claim, came, count } = await holding(test);
    const controller = new AbortController();
    client.claim({ waitMs: 60_000 }, { signal: controller.signal }).catch(() => {});
    for (let i = 0; i < 128; i += 1) client.create({ type: "ingest" }).catch(() => {});
    claim.report({ progress: 1 });
    controller.abort();
    await came("update", 1);
    await came("withdraw", 1);
    assert.equal(count("create"), 119);
  });

  it("a client sends no more large ones than the broker reads", limit, async (test) => {
    const { client, requests, claim, answer, came, count } = await holding(test);
    const result = { text: "x".repeat(1 << 18) };
    for (let i = 0; i < 40; i += 1) client.complete(uuid, result, { attempt: 1 }).catch(() => {});
    claim.report({ progress: 1 });
    await came("update", 1);
    assert.equal(count("complete"), 32);
    answer(requests[0]);
    await came("complete", 33);
  });
});
