// Claims that wait: how many at a time, and how long.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BrokerJobStore, Client, Worker } from "jobbroker";
import { Broker, limit, until } from "./support/broker.mjs";
import { fakeBroker, losePatience, welcome } from "./support/fake-broker.mjs";

/** Claims, more than requests may be in flight, and how many of them wait at the broker. */
const many = 200;
const share = 112;
const waitMs = 60_000;
/** What is held up fails its test before the test's time is over. */
const options = { requestTimeoutMs: 5000, backoff: { maximumMs: 50 } };

const late = Array.from({ length: many }, () => ({ type: "late" }));

/** A client with more claims than there are places, and one that waits for nothing. */
async function crowded(test, claim = (client) => client.claim({ types: ["late"], waitMs })) {
  const broker = await Broker.start(test);
  const observer = await broker.connect();
  const client = await broker.connect(options);
  const claims = late.map((_, index) => claim(client, index));
  // Of those that a failed test leaves behind nobody hears.
  for (const one of claims) one.catch(() => {});
  await until(async () => (await observer.stats()).waitingClaims >= share);
  return { broker, client, observer, claims };
}

/** Gives a job to each claim. */
async function answerAll(observer, claims) {
  await observer.createMany(late);
  assert.equal(new Set((await Promise.all(claims)).map(([job]) => job.id)).size, claims.length);
}

describe("more claims that wait than there are places", () => {
  it("hold up no other request", limit, async (test) => {
    const { client, observer, claims } = await crowded(test);
    await client.ping();
    assert.equal((await observer.stats()).waitingClaims, share);
    await answerAll(client, claims);
  });

  it("hold up no heartbeat", limit, async (test) => {
    const broker = await Broker.start(test);
    const observer = await broker.connect();
    const client = await broker.connect(options);
    const { job: { id } } = await observer.create({ type: "ingest" });
    const leaseMs = 2000;
    const [job] = await client.claim({ types: ["ingest"], leaseMs });
    const held = client.hold(job, { leaseMs });
    for (const _ of late) client.claim({ types: ["late"], waitMs }).catch(() => {});
    await until(async () => (await observer.stats()).waitingClaims >= share);
    const { leaseExpiresAt } = await observer.get(id);
    await until(async () => (await observer.get(id)).updatedAt >= leaseExpiresAt);
    assert.equal((await observer.get(id)).status, "processing");
    assert.equal(held.signal.aborted, false);
  });

  it("of a store hold up no other method, and end with it", limit, async (test) => {
    const broker = await Broker.start(test);
    const observer = await broker.connect();
    const client = await broker.connect(options);
    const store = new BrokerJobStore({ client, claimWaitMs: waitMs });
    const claims = late.map(() => assert.rejects(store.claimNextPending("late"), { code: "UNAVAILABLE" }));
    await until(async () => (await observer.stats()).waitingClaims >= share);
    assert.equal((await store.create("ingest")).status, "pending");
    await store.close();
    await Promise.all(claims);
    await until(async () => (await observer.stats()).waitingClaims === 0);
  });

  it("do not keep a worker from stopping whose claim is in line", limit, async (test) => {
    const { client, observer } = await crowded(test);
    const worker = new Worker(client, { types: ["late"] }, () => {});
    const running = worker.run();
    await client.ping();
    await worker.stop();
    await running;
    assert.equal((await observer.stats()).waitingClaims, share);
  });

  it("end when they are aborted in line, and are not sent", limit, async (test) => {
    const controller = new AbortController();
    const { observer, claims } = await crowded(test, (client, index) =>
      client.claim({ types: ["late"], waitMs }, index < share ? {} : { signal: controller.signal }));
    controller.abort(new Error("enough"));
    for (const claim of claims.slice(share)) await assert.rejects(claim, { message: "enough" });
    await answerAll(observer, claims.slice(0, share));
    const [{ pending, processing }] = (await observer.stats()).types;
    assert.deepEqual([pending, processing], [many - share, share]);
  });

  it("end with their client", limit, async (test) => {
    const { client, claims } = await crowded(test);
    await client.close();
    for (const claim of claims) await assert.rejects(claim, { code: "UNAVAILABLE", message: /closed/ });
  });

  for (const signal of ["SIGKILL", "SIGTERM"]) {
    it(`survive the broker's end by ${signal}`, limit, async (test) => {
      const { broker, client, claims } = await crowded(test);
      await broker.kill(signal);
      await broker.start();
      await until(async () => (await client.stats()).waitingClaims >= share);
      assert.equal((await client.stats()).waitingClaims, share);
      await answerAll(client, claims);
    });
  }
});

/** A client of a peer that allows so many requests in flight and answers none, and what came of each. */
async function allowing(test, maxInFlight) {
  const requests = [];
  let peer;
  const { socketPath } = await fakeBroker(test, (request, broker) => {
    peer = broker;
    if (request.hello) broker.send({ id: request.id, welcome: { ...welcome, max_in_flight: maxInFlight } });
    else requests.push(request);
  }, { greets: false });
  const client = await Client.connect({ socketPath, backoff: { initialMs: 1 } });
  test.after(() => client.close());
  const next = async () => {
    await until(() => requests.length > 0);
    return requests.shift();
  };
  const claim = (options = {}, call = {}) => {
    const claiming = client.claim({ waitMs, ...options }, call);
    claiming.catch(() => {});
    return claiming;
  };
  return {
    client, claim, next,
    /** Answers a claim with nothing, so that another may have its place. */
    end: (request) => peer.send({ id: request.id, claimed: {} }),
    pong: (request) => peer.send({ id: request.id, pong: {} }),
    peer: () => peer,
  };
}

describe("a claim that waits", () => {
  it("leaves a place to other requests", limit, async (test) => {
    const { client, claim, next, end, pong } = await allowing(test, 4);
    const claims = [claim({ types: ["1"] }), claim({ types: ["2"] }), claim({ types: ["3"] })];
    const ping = client.ping();
    let request = await next();
    assert.deepEqual(request.claim.types, ["1"]);
    pong(await next());
    await ping;
    for (const type of ["2", "3"]) {
      end(request);
      request = await next();
      assert.deepEqual(request.claim.types, [type]);
    }
    end(request);
    assert.deepEqual(await Promise.all(claims), [[], [], []]);
  });

  it("has a place where there is only one", limit, async (test) => {
    const { client, claim, next, end, pong } = await allowing(test, 1);
    claim();
    claim();
    const ping = client.ping();
    end(await next());
    end(await next());
    pong(await next());
    await ping;
  });

  it("does not go before those in line when it comes later", limit, async (test) => {
    const { client, claim, next, end } = await allowing(test, 4);
    const controller = new AbortController();
    claim({ types: ["1"] });
    claim({ types: ["2"] });
    claim({ types: ["3"] }, { signal: controller.signal });
    end(await next());
    claim({ types: ["4"] });
    const second = await next();
    assert.deepEqual(second.claim.types, ["2"]);
    controller.abort();
    end(second);
    assert.deepEqual((await next()).claim.types, ["4"]);
  });

  it("frees its place when it is answered, though its caller has gone", limit, async (test) => {
    const { claim, next, end } = await allowing(test, 4);
    const controller = new AbortController();
    claim({ types: ["1"] }, { signal: controller.signal });
    claim({ types: ["2"] });
    const first = await next();
    controller.abort();
    assert.equal((await next()).withdraw.claim_id, first.id);
    end(first);
    assert.deepEqual((await next()).claim.types, ["2"]);
  });

  it("is a request as any other when it does not wait", limit, async (test) => {
    const { claim, next } = await allowing(test, 4);
    claim();
    claim();
    claim({ waitMs: 0 });
    assert.deepEqual([(await next()).claim.wait_ms, (await next()).claim.wait_ms].map((ms) => ms > 0), [true, false]);
  });

  it("waits only for what its time in line has left", limit, async (test) => {
    const { claim, next, end } = await allowing(test, 4);
    claim();
    claim();
    claim({ waitMs: 1 });
    const asked = performance.now();
    const first = await next();
    await until(() => performance.now() >= asked + 20);
    end(first);
    const second = await next();
    assert.ok(second.claim.wait_ms <= waitMs - 20, `${second.claim.wait_ms} ms`);
    end(second);
    assert.equal((await next()).claim.wait_ms, 0);
  });

  it("is in line again, in order, on the next connection", limit, async (test) => {
    const { claim, next, peer } = await allowing(test, 8);
    for (const type of ["1", "2", "3"]) claim({ types: [type] });
    const types = async () => [(await next()).claim.types[0], (await next()).claim.types[0]];
    assert.deepEqual(await types(), ["1", "2"]);
    peer().close();
    assert.deepEqual(await types(), ["1", "2"]);
  });

  it("is given up when it finds no place in time", limit, async (test) => {
    const { client, claim, next } = await allowing(test, 4);
    claim();
    await next();
    losePatience(client, 20);
    await assert.rejects(client.claim({ waitMs: 1 }), { code: "UNAVAILABLE", message: /no reply within 21 ms/ });
    await assert.rejects(client.ping(), { code: "UNAVAILABLE" });
    assert.ok((await next()).ping, "it was not sent");
  });
});
