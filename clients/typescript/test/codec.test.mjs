import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readResponse } from "../dist/response.js";
import { decodeRequest, decodeResponse, encodeRequest, encodeResponse } from "../dist/wire/codec.js";
import { FrameReader } from "../dist/wire/frames.js";
import { vectors } from "./support/vectors.mjs";
import { fromJSON, toJSON } from "./support/wire-json.mjs";

const bodyOf = (vector) => Buffer.from(vector.hex, "hex").subarray(4);

/** Whether the vector's members are all in what was read, which may have more. */
function assertSays(read, said) {
  assert.deepEqual(read, { ...read, ...said });
}

describe("frames of the vectors", () => {
  for (const vector of vectors("frames/requests.json")) {
    it(`request: ${vector.name}`, () => {
      assertSays(toJSON("Request", decodeRequest(bodyOf(vector))), vector.message);
      const written = encodeRequest(fromJSON("Request", vector.message));
      assert.deepEqual(toJSON("Request", decodeRequest(written.subarray(4))), vector.message);
      assert.equal(written.readUInt32BE(0), written.length - 4);
    });
  }
  for (const vector of vectors("frames/responses.json")) {
    it(`response: ${vector.name}`, () => {
      assert.deepEqual(toJSON("Response", decodeResponse(bodyOf(vector))), vector.message);
      const written = encodeResponse(fromJSON("Response", vector.message));
      assert.deepEqual(toJSON("Response", decodeResponse(written.subarray(4))), vector.message);
      readResponse(bodyOf(vector));
    });
  }
  for (const vector of vectors("frames/hostile.json").filter(({ direction }) => direction === "response")) {
    it(`hostile: ${vector.name}`, () => {
      assert.throws(() => readResponse(bodyOf(vector)), (error) => {
        assert.deepEqual({ id: error.id, fatal: error.isFatal }, { id: vector.error.id, fatal: vector.error.fatal });
        assert.match(error.message, new RegExp(vector.error.contains));
        return true;
      });
    });
  }
});

describe("streams of the vectors", () => {
  for (const vector of vectors("frames/streams.json")) {
    for (const size of [1, 2, 3, 5, 1000]) {
      it(`${vector.name}, ${size} bytes at a time`, () => {
        const bytes = Buffer.from(vector.stream, "hex");
        const reader = new FrameReader();
        const bodies = [];
        let refused = false;
        try {
          for (let offset = 0; offset < bytes.length; offset += size) {
            reader.append(bytes.subarray(offset, offset + size), (body) => bodies.push(body.toString("hex")));
          }
        } catch (error) {
          assert.ok(error instanceof RangeError);
          refused = true;
        }
        assert.deepEqual(
          { bodies, refused, partial: reader.isWithinFrame },
          { bodies: vector.bodies, refused: vector.refused, partial: vector.partial });
      });
    }
  }
});

describe("values that a field can't hold are refused by name", () => {
  const refusals = [
    ["create.jobs[1].max_retries", { create: { jobs: [{ type: "a" }, { type: "b", max_retries: -1 }] } }],
    ["create.jobs[0].max_retries", { create: { jobs: [{ max_retries: 2 ** 32 }] } }],
    ["create.jobs[0].priority", { create: { jobs: [{ priority: 1.5 }] } }],
    ["create.jobs[0].not_before", { create: { jobs: [{ not_before: NaN }] } }],
    ["create.jobs[0].type", { create: { jobs: [{ type: null }] } }],
    ["claim.wait_ms", { claim: { wait_ms: -1 } }],
    ["claim.wait_ms", { claim: { wait_ms: 2 ** 53 } }],
    ["list.cursor", { list: { cursor: 1n << 64n } }],
    ["list.status", { list: { status: "DONE" } }],
    ["list.status", { list: { status: "constructor" } }],
    ["update.progress", { update: { progress: "40" } }],
    ["fail.retryable", { fail: { retryable: "yes" } }],
  ];
  for (const [field, request] of refusals) {
    it(`${field}: ${Object.values(request).map((value) => typeof value)}`, () => {
      assert.throws(() => encodeRequest({ id: 1, ...request }), (error) => {
        assert.equal(error.code, "INVALID_ARGUMENT");
        assert.ok(error.message.startsWith(`${field} is `), error.message);
        return true;
      });
    });
  }

  it("a request that is larger than a frame", () => {
    const request = { id: 1, complete: { id: Buffer.alloc(16), result: "x".repeat(1 << 20) } };
    assert.throws(() => encodeRequest(request), { code: "INVALID_ARGUMENT", message: /a frame holds at most 1048576/ });
  });
});

it("integers of 64 bits are exact", () => {
  for (const cursor of [0, 127, 128, 2 ** 32 - 1, 2 ** 32, 2 ** 49, 2 ** 53 - 1, 2n ** 53n, 2n ** 64n - 1n]) {
    const frame = encodeRequest({ id: 1, list: { cursor } });
    assert.equal(decodeRequest(frame.subarray(4)).list.cursor, cursor);
  }
  for (const not_before of [-1, -(2 ** 53 - 1), -(2n ** 53n), -(2n ** 63n), 2n ** 63n - 1n]) {
    const frame = encodeRequest({ id: 1, create: { jobs: [{ not_before }] } });
    assert.equal(decodeRequest(frame.subarray(4)).create.jobs[0].not_before, not_before);
  }
});

it("messages of every length are written and read alike", () => {
  for (const length of [0, 1, 100, 126, 127, 128, 129, 16_000, 16_383, 16_384, 300_000]) {
    const text = "ä".repeat(length);
    const frame = encodeRequest({ id: 1, create: { jobs: [{ type: text }, { type: "last" }] } });
    assert.deepEqual(decodeRequest(frame.subarray(4)).create.jobs, [{ type: text }, { type: "last" }]);
  }
});
