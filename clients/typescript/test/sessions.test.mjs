// The sessions of proto/vectors, over a bare socket and through this client's codec.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { describe, it } from "node:test";
import { decodeResponse, encodeRequest } from "../dist/wire/codec.js";
import { FrameReader } from "../dist/wire/frames.js";
import { Broker, limit } from "./support/broker.mjs";
import { vectorFiles, vectors } from "./support/vectors.mjs";
import { fromJSON, toJSON } from "./support/wire-json.mjs";

const anything = new Set(["$any", "$absent"]);
const isPlaceholder = (text) => typeof text === "string" && text.startsWith("$") && !anything.has(text);

/** Fails unless `value` matches the pattern; placeholders that occur first are kept in `known`. */
function match(pattern, value, known, path = "response") {
  if (pattern === "$any") return assert.notEqual(value, undefined, `${path} is absent`);
  if (pattern === "$absent") return assert.equal(value, undefined, path);
  if (isPlaceholder(pattern)) {
    assert.notEqual(value, undefined, `${path} is absent`);
    if (!known.has(pattern)) known.set(pattern, value);
    return assert.deepEqual(value, known.get(pattern), path);
  }
  if (Array.isArray(pattern)) {
    assert.equal(value?.length ?? 0, pattern.length, `${path}: number of elements`);
    return pattern.forEach((element, index) => match(element, value[index], known, `${path}[${index}]`));
  }
  if (typeof pattern === "object") {
    if ("$contains" in pattern) return assert.ok(value.includes(pattern.$contains), `${path}: ${value}`);
    assert.notEqual(value, undefined, `${path} is absent`);
    return Object.entries(pattern).forEach(([key, part]) => match(part, value[key], known, `${path}.${key}`));
  }
  assert.equal(value, pattern, path);
}

function filledIn(value, known) {
  if (isPlaceholder(value)) return known.get(value);
  if (Array.isArray(value)) return value.map((element) => filledIn(element, known));
  if (typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, filledIn(part, known)]));
}

/** The frames that a socket receives, one by one; undefined at its end. */
async function* bodies(socket) {
  const reader = new FrameReader();
  for await (const bytes of socket) {
    const whole = [];
    reader.append(bytes, (body) => whole.push(body));
    yield* whole;
  }
}

async function run(steps, socketPath) {
  const known = new Map();
  const connections = new Map();
  for (const step of steps) {
    const name = step.on ?? "";
    if (!connections.has(name)) {
      const socket = connect({ path: socketPath });
      await once(socket, "connect");
      connections.set(name, { socket, frames: bodies(socket) });
    }
    const { socket, frames } = connections.get(name);
    if (step.send) socket.write(encodeRequest(fromJSON("Request", filledIn(step.send, known))));
    if (step.send_hex) socket.write(Buffer.from(step.send_hex, "hex"));
    if (step.disconnect) socket.end();
    if (step.close) assert.deepEqual(await frames.next(), { value: undefined, done: true });
    if (step.expect) {
      const { value } = await frames.next();
      assert.ok(value, "the broker closed the connection");
      match(step.expect, toJSON("Response", decodeResponse(value)), known);
    }
  }
  for (const { socket } of connections.values()) socket.destroy();
}

for (const file of vectorFiles("sessions")) {
  describe(file, () => {
    for (const session of vectors(file)) {
      it(session.name, limit, async (test) => {
        const broker = await Broker.start(test);
        await run(session.steps, broker.socketPath);
      });
    }
  });
}
