// Measures what a call costs the client: JOBBROKERD=/path/to/jobbrokerd node bench/bench.mjs [--check]
//
// Prints the CPU time of this process per create, one at a time, and how long after the create's reply a worker blocked
// in a claim has its job: medians. With --check, fails when they miss the project's targets on its reference machine.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { Client } from "jobbroker";

const targets = { createCpuUs: 100, wakeUpMs: 1 };
const batches = 40;
const createsPerBatch = 250;
const wakeUps = 500;

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
const wallMs = () => performance.timeOrigin + performance.now();

/** CPU time is too coarse for one call, so the median is over batches. */
async function createCpuUs(client) {
  const metadata = { url: "https://example.org/talk.wav", gain: -3.5, tags: ["a", "b", "c"] };
  const cost = async (count) => {
    const before = process.cpuUsage();
    for (let i = 0; i < count; i += 1) await client.create({ type: "bench", metadata });
    const { user, system } = process.cpuUsage(before);
    return (user + system) / count;
  };
  await cost(4 * createsPerBatch);
  const costs = [];
  for (let i = 0; i < batches; i += 1) costs.push(await cost(createsPerBatch));
  return median(costs);
}

/** A thread of its own claims, so that both ends of the measurement are as independent as two processes. */
async function wakeUpMs(client, socketPath) {
  const claimer = new Worker(new URL(import.meta.url), { workerData: { socketPath } });
  const times = [];
  for (let i = 0; i < wakeUps; i += 1) {
    while ((await client.stats()).waitingClaims === 0);
    const claimed = new Promise((resolve) => claimer.once("message", resolve));
    await client.create({ type: "wake-up" });
    const replied = wallMs();
    times.push((await claimed) - replied);
  }
  await claimer.terminate();
  return median(times);
}

async function claimForEver({ socketPath }) {
  const client = await Client.connect({ socketPath });
  for (;;) {
    const [job] = await client.claim({ types: ["wake-up"], waitMs: 60_000 });
    const at = wallMs();
    await client.complete(job.id, undefined, { attempt: job.attempt });
    parentPort.postMessage(at);
  }
}

async function main() {
  const directory = mkdtempSync(join(tmpdir(), "jobbroker-bench-"));
  const socketPath = join(directory, "s");
  const broker = spawn(process.env.JOBBROKERD, ["--socket", socketPath, "--db", join(directory, "jobs.db")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    for await (const line of createInterface({ input: broker.stdout })) if (line.startsWith("ready ")) break;
    const client = await Client.connect({ socketPath });
    const measured = { createCpuUs: await createCpuUs(client), wakeUpMs: await wakeUpMs(client, socketPath) };
    await client.close();
    console.log(`create: ${measured.createCpuUs.toFixed(1)} µs of client CPU`);
    console.log(`wake-up of a blocked claim: ${measured.wakeUpMs.toFixed(3)} ms after the create's reply`);
    if (process.argv.includes("--check")) {
      process.exitCode = Object.keys(targets).every((name) => measured[name] <= targets[name]) ? 0 : 1;
    }
  } finally {
    broker.kill();
    rmSync(directory, { recursive: true, force: true });
  }
}

await (isMainThread ? main() : claimForEver(workerData));
