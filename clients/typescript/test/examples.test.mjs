import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Broker, limit } from "./support/broker.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));

/** What a program of this package prints, talking to the broker as any user's would. */
async function output(broker, program) {
  const { stdout } = await promisify(execFile)("node", [program], {
    cwd: root, env: { ...process.env, JOBBROKER_SOCKET: broker.socketPath }, timeout: 20_000,
  });
  return stdout;
}

it("the example does what it says", limit, async (test) => {
  const broker = await Broker.start(test);
  assert.equal(
    await output(broker, "examples/transcode.mjs"),
    "talk.wav: complete talk.opus\nnotes.txt: failed notes.txt is no sound file\nendless.wav: cancelled\n");
});

it("the quick start of the README works as it stands there", limit, async (test) => {
  const broker = await Broker.start(test);
  const [, quickStart] = /```js\n([^`]*)```/.exec(readFileSync(`${root}README.md`, "utf8"));
  const program = `${root}dist/quick-start.mjs`;
  writeFileSync(program, quickStart);
  test.after(() => rmSync(program));
  assert.equal(await output(broker, program), "complete { minutes: 3 }\n");
});
