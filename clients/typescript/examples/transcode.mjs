// A producer, a worker and a watcher in one process; usually they are three.
//
//   JOBBROKER_SOCKET=/path/to/broker.sock node examples/transcode.mjs
import { spawn } from "node:child_process";
import { once } from "node:events";
import { Client, PermanentFailure, Worker } from "jobbroker";

const client = await Client.connect();

const worker = new Worker(client, { types: ["transcode"], concurrency: 2 }, async (job, { signal, report }) => {
  const { file, seconds } = job.metadata;
  if (!file.endsWith(".wav")) throw new PermanentFailure(`${file} is no sound file`);
  report({ stage: "transcoding", progress: 0 });
  // Stands for ffmpeg. A job that is cancelled kills it: that is what the signal is for.
  const child = spawn("sleep", [String(seconds)], { signal });
  const [status] = await once(child, "exit");
  if (status !== 0) throw new Error(`sleep ended with ${status}`);
  report({ progress: 100 });
  return { file: file.replace(".wav", ".opus") };
});
const running = worker.run();

const jobs = await client.createMany([
  { type: "transcode", metadata: { file: "talk.wav", seconds: 0.1 } },
  { type: "transcode", metadata: { file: "notes.txt", seconds: 0 } },
  { type: "transcode", metadata: { file: "endless.wav", seconds: 1000 } },
]);
const files = new Map([["talk.wav", 0], ["notes.txt", 1], ["endless.wav", 2]].map(([file, i]) => [jobs[i].job.id, file]));

// Follow the jobs to their ends; the endless one is cancelled as soon as it is being worked on.
const ends = new Map();
for await (const event of client.watch({ ids: [...files.keys()] })) {
  const seen = event.kind === "snapshot" ? event.jobs : event.kind === "changed" ? [event.job] : [];
  for (const { id, status, stage, error, result } of seen) {
    if (["complete", "failed", "cancelled"].includes(status)) ends.set(id, error ?? result?.file ?? "");
    else if (stage && files.get(id) === "endless.wav") await client.cancel(id);
  }
  if (ends.size === files.size) break;
}
for (const [id, file] of files) console.log(`${file}: ${(await client.get(id)).status} ${ends.get(id)}`.trim());

await worker.stop();
await running;
await client.close();
