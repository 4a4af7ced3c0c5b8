// Measures what a call costs the client: JOBBROKERD=/path/to/jobbrokerd node bench/bench.mjs [--check]
//
// Prints the CPU time of this process per create, one at a time; that of a bare round trip of as many bytes over a socket of
// node:net, with a peer that answers as late as the broker does: the floor; and how long after the create's reply a worker blocked
// in a claim has its job: medians. With --check, fails when they miss the project's targets on its reference machine.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createConnection } from "node:net";
import { createInterface } from "node:readline";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { Client } from "jobbroker";

const targets = { createCpuUs: 100, wakeUpMs: 1 };
const batches = 40;
// Until V8 has compiled what it will: its compiler's time is this process's, too.
const warmUpBatches = 40;
const callsPerBatch = 100;
// About as many bytes as a create's frame and its reply's have.
const requestSize = 150;
const replySize = 80;
const wakeUps = 500;

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
const wallMs = () => performance.timeOrigin + performance.now();

/** CPU time is too coarse for one call, so it is of a batch. */
async function cpuUs(call) {
  const before = process.cpuUsage();
  for (let i = 0; i < callsPerBatch; i += 1) await call();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / callsPerBatch;
}

/** A process that answers each request after the time that stands in it. */
const answerer = `
  require("node:net").createServer((peer) => peer.on("data", (request) =>
    setTimeout(() => peer.write(Buffer.alloc(${replySize})), request.readDoubleLE(0)),
  )).listen(process.argv[1], () => console.log("ready"));
`;

async function startAnswering(path) {
  const server = spawn(process.execPath, ["-e", answerer, path], { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise((resolve) => server.stdout.once("data", resolve));
  return server;
}

/** Batches of creates beside batches of bare round trips. */
async function createCpuUs(client, peer) {
  const metadata = { url: "https://example.org/talk.wav", gain: -3.5, tags: ["a", "b", "c"] };
  const create = () => client.create({ type: "bench", metadata });
  const request = Buffer.alloc(requestSize);
  const roundTrip = () =>
    new Promise((resolve) => {
      peer.once("data", resolve);
      peer.write(request);
    });
  for (let i = 0; i < warmUpBatches; i += 1) await cpuUs(create);
  const creates = [];
  const floors = [];
  for (let i = 0; i < batches; i += 1) {
    const begun = performance.now();
    creates.push(await cpuUs(create));
    request.writeDoubleLE((performance.now() - begun) / callsPerBatch, 0);
    floors.push(await cpuUs(roundTrip));
  }
  return { createCpuUs: median(creates), roundTripCpuUs: median(floors) };
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
  const answering = await startAnswering(join(directory, "peer"));
  const peer = createConnection(join(directory, "peer"));
  try {
    for await (const line of createInterface({ input: broker.stdout })) if (line.startsWith("ready ")) break;
    const client = await Client.connect({ socketPath });
    const measured = { ...(await createCpuUs(client, peer)), wakeUpMs: await wakeUpMs(client, socketPath) };
    await client.close();
    console.log(`create: ${measured.createCpuUs.toFixed(1)} µs of client CPU`);
    const own = measured.createCpuUs - measured.roundTripCpuUs;
    console.log(`bare round trip: ${measured.roundTripCpuUs.toFixed(1)} µs; the client's own part: ${own.toFixed(1)} µs`);
    console.log(`wake-up of a blocked claim: ${measured.wakeUpMs.toFixed(3)} ms after the create's reply`);
    if (process.argv.includes("--check")) {
      process.exitCode = Object.keys(targets).every((name) => measured[name] <= targets[name]) ? 0 : 1;
    }
  } finally {
    peer.destroy();
    answering.kill();
    broker.kill();
    rmSync(directory, { recursive: true, force: true });
  }
}

await (isMainThread ? main() : claimForEver(workerData));
