// Calls a broker that misbehaves, once for each line on stdin: proto/vectors/conformance/README.md.
import { writeSync } from "node:fs";
import { createInterface } from "node:readline";
import { Client, newJobId } from "jobbroker";

const client = await Client.connect({ socketPath: process.argv[2] });
for await (const _ of createInterface({ input: process.stdin })) {
  const outcome = await client.get(newJobId()).then(() => "OK", (error) => error.code ?? String(error));
  writeSync(1, `${outcome}\n`);
}
await client.close();
