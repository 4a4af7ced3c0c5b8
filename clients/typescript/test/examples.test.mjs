import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Broker, limit } from "./support/broker.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));

/** What a program of this package prints, talking to the broker as any user's would. */
async function output(broker, args, source = "") {
  const running = promisify(execFile)("node", args, {
    cwd: root, env: { ...process.env, JOBBROKER_SOCKET: broker.socketPath }, timeout: 100_000,
  });
  running.child.stdin.end(source);
  return (await running).stdout;
}

it("the example does what it says", limit, async (test) => {
  const broker = await Broker.start(test);
  assert.equal(
    await output(broker, ["examples/transcode.mjs"]),
    "talk.wav: complete talk.opus\nnotes.txt: failed notes.txt is no sound file\nendless.wav: cancelled\n");
});

it("the quick start of the README works as it stands there", limit, async (test) => {
  const broker = await Broker.start(test);
  const [, quickStart] = /```js\n([^`]*)```/.exec(readFileSync(`${root}README.md`, "utf8"));
  // Not a file in the package, which another test may just be packing.
  assert.equal(await output(broker, ["--input-type=module", "-"], quickStart), "complete { minutes: 3 }\n");
});
