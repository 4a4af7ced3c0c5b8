import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { defaultSocketPath, newJobId, parseJson, stringifyJson } from "jobbroker";
import { backoffDelay, defaultBackoff } from "../dist/backoff.js";
import { errorText } from "../dist/error-text.js";
import { formatJobId, parseJobId } from "../dist/job-id.js";

describe("JSON", () => {
  const values = [
    {}, { a: [] }, { n: 2 ** 53 - 1 }, { n: -(2 ** 53 - 1) }, { n: 2n ** 53n }, { n: -(2n ** 53n) }, { n: 10n ** 50n },
    { n: 2 ** 53 }, { n: 2 ** 60 }, { n: -1e21 }, { n: 1e300 }, { n: 0.1 + 0.2 }, { n: 123456789.123456789 },
    { s: "12345678901234567890" }, { s: '"12345678901234567890' }, { s: "\\12345678901234567890" },
    { 12345678901234567890n: 1 }, { s: "\\\"", n: 2n ** 64n, t: "\ud83c\udfa7\ud83c" }, { s: "#".repeat(400_000), n: 2n ** 64n },
    JSON.parse('{"__proto__": {"n": 1}, "constructor": 12345678901234567}'),
  ];
  for (const value of values) {
    it(`is read as it was written: ${stringifyJson(value).slice(0, 40)}`, () => {
      assert.deepEqual(parseJson(stringifyJson(value)), value);
    });
  }

  it("integers that a number can't hold are bigints, all else is a number", () => {
    const text = '{"a":9007199254740993,"b":[-12345678901234567890,1.12345678901234567890,1e400,12345678901234567e2],"c":0}';
    assert.deepEqual(
      parseJson(text), { a: 9007199254740993n, b: [-12345678901234567890n, 1.1234567890123457, Infinity, 1234567890123456700], c: 0 });
  });

  it("strings of every kind may be long", () => {
    const text = `${'\\"'.repeat(190_000)}`;
    assert.equal(parseJson(`{"s":"${text}","n":12345678901234567}`).s, '"'.repeat(190_000));
  });

  it("a bigint is written as the integer it is", () => {
    assert.equal(stringifyJson({ a: 1n, b: 2n ** 64n }), '{"a":1,"b":18446744073709551616}');
  });

  it("what is no JSON is an error", () => {
    assert.throws(() => parseJson("{"), SyntaxError);
    assert.throws(() => parseJson('{"n":12345678901234567'), SyntaxError);
    const cycle = { n: 1n };
    cycle.self = cycle;
    assert.throws(() => stringifyJson(cycle), TypeError);
    assert.equal(stringifyJson(undefined), undefined);
    assert.equal(stringifyJson(new Date(0)), '"1970-01-01T00:00:00.000Z"');
  });
});

describe("job ids", () => {
  it("are UUIDs of version 7, all different, in the order of time", () => {
    const ids = Array.from({ length: 1000 }, newJobId);
    for (const id of ids) assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.equal(new Set(ids).size, ids.length);
    assert.ok(Math.abs(parseInt(ids[0].replace("-", "").slice(0, 12), 16) - Date.now()) < 60_000);
  });

  it("are read in either case, with or without dashes", () => {
    const id = "0193a5f0-c200-7abc-8def-0123456789ab";
    for (const text of [id, id.toUpperCase(), id.replaceAll("-", "")]) assert.equal(formatJobId(parseJobId(text)), id);
    for (const text of ["", "0193", `${id}0`, `${id.slice(1)}g`]) assert.equal(parseJobId(text), undefined);
  });
});

describe("an error's text", () => {
  it("is the message, or what there is", () => {
    assert.equal(errorText(new Error("disk full")), "disk full");
    assert.equal(errorText(new RangeError()), "RangeError");
    assert.equal(errorText("busy"), "busy");
    assert.equal(errorText(undefined), "undefined");
    assert.equal(errorText(Object.create(null)), "an error that has no text");
  });

  it("is cut at the end of a character, and has no NUL", () => {
    for (const text of ["x".repeat(20_000), "ž".repeat(20_000), "€".repeat(20_000), `a${"🎧".repeat(20_000)}`]) {
      const cut = errorText(text);
      const size = Buffer.byteLength(cut);
      assert.ok(text.startsWith(cut) && size <= 16_384 && size > 16_380);
    }
    assert.equal(errorText("a\0b"), "a b");
  });
});

it("the backoff doubles up to its maximum, with jitter", () => {
  for (const [failures, ceiling] of [[1, 50], [2, 100], [3, 200], [8, 5000], [5000, 5000]]) {
    const delays = Array.from({ length: 200 }, () => backoffDelay(defaultBackoff, failures));
    assert.ok(delays.every((delay) => delay >= 0 && delay <= ceiling));
    assert.ok(Math.max(...delays) > ceiling / 2 && Math.min(...delays) < ceiling / 2);
  }
});

it("the usual socket depends on the environment and the user", (test) => {
  const before = { ...process.env };
  test.after(() => { process.env = before; });
  process.env.JOBBROKER_SOCKET = "/x/s";
  assert.equal(defaultSocketPath(), "/x/s");
  process.env.JOBBROKER_SOCKET = "";
  test.mock.method(process, "getuid", () => 0);
  assert.equal(defaultSocketPath(), "/run/jobbroker/jobbroker.sock");
  test.mock.method(process, "getuid", () => 1000);
  process.env.XDG_RUNTIME_DIR = "/run/user/1000";
  assert.equal(defaultSocketPath(), "/run/user/1000/jobbroker/jobbroker.sock");
  process.env.XDG_RUNTIME_DIR = "relative";
  assert.equal(defaultSocketPath(), "/tmp/jobbroker-1000/jobbroker.sock");
});
