// A peer that lies: every call ends with an error, nothing hangs, and nothing is left behind.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Client } from "jobbroker";
import { limit } from "./support/broker.mjs";
import { fakeBroker, losePatience, welcome } from "./support/fake-broker.mjs";
import { vectors } from "./support/vectors.mjs";

const quick = { backoff: { initialMs: 1, maximumMs: 10 } };
const uuid = Buffer.from("0193a5f0c2007abc8def0123456789ab", "hex");

/** What a client's call comes to when its request is answered so. */
async function answered(test, answer, call = (client) => client.get("0193a5f0-c200-7abc-8def-0123456789ab")) {
  const peer = await fakeBroker(test, answer);
  const client = await Client.connect({ socketPath: peer.socketPath, ...quick });
  test.after(() => client.close());
  return { peer, client, outcome: await call(client).then((value) => ({ value }), (error) => ({ error })) };
}

describe("a reply that ends the connection", () => {
  const garbage = {
    "cut short within": "0000000408072a05",
    "of length 0": "00000000",
    "larger than a frame": "00100001",
    "of another protocol": "485454502f312e3120343030",
    "a varint without end": "0000000cffffffffffffffffffffffff",
    "a group": "0000000408073334",
    "without an id and a reply": "000000020800",
  };
  for (const [name, hex] of Object.entries(garbage)) {
    it(name, limit, async (test) => {
      const { peer, client, outcome } = await answered(test, (request, broker, number) =>
        number === 1 && request.get ? broker.sendBytes(hex) : broker.send({ id: request.id, pong: {} }));
      assert.deepEqual([outcome.error?.code, outcome.value], ["INTERNAL", undefined]);
      assert.match(outcome.error.message, /is not a broker, or out of step/);
      await client.ping();
      assert.equal(peer.connections(), 2, "the client connected again");
    });
  }

  it("to a request that nobody made", limit, async (test) => {
    const { outcome } = await answered(test, (request, broker) => broker.send({ id: 4711, pong: {} }));
    assert.match(outcome.error.message, /it answers request 4711, which nobody made/);
  });

  it("to an id that no client has", limit, async (test) => {
    const { outcome } = await answered(test, (request, broker) => broker.send({ id: 2n ** 64n - 1n, pong: {} }));
    assert.equal(outcome.error.code, "INTERNAL");
  });
});

describe("a reply that fails its request alone", () => {
  for (const vector of vectors("frames/hostile.json").filter((v) => v.direction === "response" && !v.error.fatal)) {
    it(vector.name, limit, async (test) => {
      const { peer, client, outcome } = await answered(test, (request, broker) => {
        if (request.ping) return broker.send({ id: request.id, pong: {} });
        const bytes = Buffer.from(vector.hex, "hex");
        bytes[5] = Number(request.id);
        broker.sendBytes(bytes.toString("hex"));
      });
      assert.equal(outcome.error.code, vector.error.code === "UNSUPPORTED" ? "UNSUPPORTED" : "INTERNAL");
      await client.ping();
      assert.equal(peer.connections(), 1);
    });
  }

  const unreadable = {
    "of another kind": { pong: {} },
    "metadata that is not JSON": { job: { id: uuid, status: "PENDING", metadata: "{" } },
    "metadata that is no object": { job: { id: uuid, status: "PENDING", metadata: "[1]" } },
    "metadata nested too deeply": {
      job: { id: uuid, status: "PENDING", metadata: `{"a":${"[".repeat(200_000)}1234567890123456789${"]".repeat(200_000)}}` },
    },
    "an id that is none": { job: { id: Buffer.from("00", "hex"), status: "PENDING" } },
    "an error of an unknown code": { error: { code: 99, message: "later" } },
  };
  for (const [name, reply] of Object.entries(unreadable)) {
    it(name, limit, async (test) => {
      const { outcome } = await answered(test, (request, broker) => broker.send({ id: request.id, ...reply }));
      assert.equal(outcome.error.code, "INTERNAL");
    });
  }

  it("fewer entries than jobs were to be created", limit, async (test) => {
    const { outcome } = await answered(
      test, (request, broker) => broker.send({ id: request.id, created: {} }),
      (client) => client.create({ type: "ingest" }));
    assert.equal(outcome.error.code, "INTERNAL");
  });

  it("times that a Date can't hold stick at the end of its range", limit, async (test) => {
    const { outcome } = await answered(test, (request, broker) =>
      broker.send({ id: request.id, job: { id: uuid, status: "PENDING", created_at: 2n ** 63n - 1n, sequence: 2n ** 63n } }));
    assert.deepEqual([outcome.value.createdAt.getTime(), outcome.value.sequence], [8.64e15, 2n ** 63n]);
  });
});

it("a revocation to a status that is not known ends its claim and nothing else", limit, async (test) => {
  let claim;
  const { outcome } = await answered(test, (request, broker) => {
    broker.send({ id: 0, revoked: { id: uuid, attempt: 3, status: 99, reason: "archived" } });
    broker.send({ id: request.id, pong: {} });
  }, (client) => {
    claim = client.hold({ id: "0193a5f0-c200-7abc-8def-0123456789ab", attempt: 3 });
    return client.ping();
  });
  assert.equal(outcome.error, undefined);
  const { status, reason } = claim.signal.reason;
  assert.deepEqual([status, reason], [undefined, "archived"]);
});

describe("a broker that", () => {
  it("never answers is waited for as long as the client was told", limit, async (test) => {
    const { outcome } = await answered(test, () => {}, (client) => {
      losePatience(client, 20);
      return client.ping();
    });
    assert.deepEqual([outcome.error.code, /no reply within 20 ms/.test(outcome.error.message)], ["UNAVAILABLE", true]);
  });

  it("does not answer an hour's claim that is to end is waited for no longer than another", limit, async (test) => {
    const stop = new AbortController();
    const { outcome } = await answered(test, (request) => request.claim && stop.abort(), (client) => {
      losePatience(client, 20);
      return client.claimUntil(stop.signal, { waitMs: 3_600_000 }, {});
    });
    assert.equal(outcome.error.code, "UNAVAILABLE");
  });

  it("keeps a claim waiting is not looked after until that has lasted too long", limit, async (test) => {
    const delays = [];
    const { setTimeout: original } = globalThis;
    test.mock.method(globalThis, "setTimeout", (action, delay, ...rest) => {
      delays.push(delay);
      return original(action, delay, ...rest);
    });
    let claimed;
    const asked = new Promise((resolve) => { claimed = resolve; });
    const peer = await fakeBroker(test, (request) => request.claim && claimed());
    const client = await Client.connect({ socketPath: peer.socketPath });
    test.after(() => client.close());
    delays.length = 0;
    client.claim({ waitMs: 3_600_000 }).catch(() => {});
    await asked;
    assert.equal(delays.length, 1);
    assert.ok(delays[0] > 3_600_000, `${delays} ms`);
  });

  it("never answers a watch, too", limit, async (test) => {
    const { outcome } = await answered(test, () => {}, (client) => {
      losePatience(client, 20);
      return client.watch().next();
    });
    assert.equal(outcome.error.code, "UNAVAILABLE");
  });

  it("never answers the hello is given up", limit, async (test) => {
    const peer = await fakeBroker(test, () => {}, { greets: false });
    await assert.rejects(
      Client.connect({ socketPath: peer.socketPath, requestTimeoutMs: 20 }),
      { code: "UNAVAILABLE", message: /did not answer the hello/ });
  });

  it("answers the hello with something else is no broker", limit, async (test) => {
    const peer = await fakeBroker(test, (request, broker) => broker.send({ id: request.id, pong: {} }), { greets: false });
    await assert.rejects(Client.connect({ socketPath: peer.socketPath }), {
      code: "UNAVAILABLE", message: /does not answer the hello/,
    });
  });

  it("speaks another version is refused", limit, async (test) => {
    const peer = await fakeBroker(
      test, (request, broker) => broker.send({ id: request.id, welcome: { ...welcome, protocol_version: 2 } }),
      { greets: false });
    await assert.rejects(Client.connect({ socketPath: peer.socketPath }), { code: "UNSUPPORTED", message: /version 2/ });
  });

  it("closes says why, when it said so", limit, async (test) => {
    const peer = await fakeBroker(test, (request, broker) => {
      broker.send({ id: 0, error: { code: "RESOURCE_EXHAUSTED", message: "too many connections" } });
      broker.close();
    }, { greets: false });
    await assert.rejects(Client.connect({ socketPath: peer.socketPath }), { message: /too many connections/ });
  });

  it("allows one request in flight gets one at a time", limit, async (test) => {
    let underway = 0;
    const peer = await fakeBroker(test, (request, broker) => {
      if (request.hello) return broker.send({ id: request.id, welcome: { ...welcome, max_in_flight: 1 } });
      underway += 1;
      assert.equal(underway, 1);
      setImmediate(() => {
        underway -= 1;
        broker.send({ id: request.id, pong: {} });
      });
    }, { greets: false });
    const client = await Client.connect({ socketPath: peer.socketPath });
    test.after(() => client.close());
    await Promise.all(Array.from({ length: 20 }, () => client.ping()));
  });

  it("floods a watch that nobody reads costs bounded memory, and the reader is told", limit, async (test) => {
    const jobs = 10_001;
    const peer = await fakeBroker(test, (request, broker) => {
      if (request.ping) return broker.send({ id: request.id, pong: {} });
      if (!request.watch) return;
      broker.send({ id: request.id, snapshot: {} });
      for (let i = 0; i < jobs; i += 1) {
        broker.send({ id: request.id, event: { changed: { id: uuid, status: "PENDING" } } });
      }
    });
    const client = await Client.connect({ socketPath: peer.socketPath });
    test.after(() => client.close());
    const watch = client.watch();
    assert.equal((await watch.next()).value.kind, "snapshot");
    await client.ping();
    assert.deepEqual((await watch.next()).value, { kind: "interrupted" });
    assert.equal((await watch.next()).value.kind, "snapshot");
  });

  it("sends a snapshot larger than any is out of step", limit, async (test) => {
    const many = Array.from({ length: 1000 }, () => ({ id: uuid, status: "PENDING" }));
    const { outcome } = await answered(
      test,
      (request, broker, number) => {
        if (!request.watch) return;
        if (number > 1) return broker.send({ id: request.id, error: { code: "INTERNAL", message: "second try" } });
        for (let i = 0; i < 11; i += 1) broker.send({ id: request.id, snapshot: { jobs: many, more: true } });
      },
      (client) => client.watch().next());
    assert.equal(outcome.error.message, "second try");
  });
});
