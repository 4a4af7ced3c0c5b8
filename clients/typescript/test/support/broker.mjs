// A real broker of its own for each test, and clients that end with it.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Client } from "jobbroker";

const daemon = process.env.JOBBROKERD;
if (!daemon) throw new Error("JOBBROKERD must be the path of the daemon's binary");

export class Broker {
  #directory = mkdtempSync(join(tmpdir(), "jobbroker-ts-"));
  #process;
  #clients = [];
  socketPath = join(this.#directory, "s");

  /** Starts a broker that is stopped at the end of the test. */
  static async start(test) {
    const broker = new Broker();
    test.after(() => broker.#end());
    await broker.start();
    return broker;
  }

  async start() {
    this.#process = spawn(daemon, ["--socket", this.socketPath, "--db", join(this.#directory, "jobs.db")], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    for await (const line of createInterface({ input: this.#process.stdout })) {
      if (line.startsWith("ready ")) return;
    }
    throw new Error("the broker ended before it was ready");
  }

  /** Sends a signal that does not end it: SIGSTOP, SIGCONT. */
  signal(name) {
    this.#process.kill(name);
  }

  async kill(signal = "SIGKILL") {
    const ended = once(this.#process, "exit");
    this.#process.kill(signal);
    await ended;
  }

  async restart() {
    await this.kill();
    await this.start();
  }

  /** A connected client, closed at the end of the test. */
  async connect(options = {}) {
    const client = await Client.connect({ socketPath: this.socketPath, ...options });
    this.#clients.push(client);
    return client;
  }

  /** Closes something at the end of the test. */
  closesAtEnd(closable) {
    this.#clients.push(closable);
    return closable;
  }

  async #end() {
    for (const client of this.#clients.reverse()) await client.close();
    if (this.#process.exitCode === null && this.#process.signalCode === null) await this.kill();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** Tests of one kind, each within a time limit. */
export const limit = { timeout: 120_000 };

/** Asks again and again until the answer is true. For what the broker tells nobody of. */
export async function until(condition) {
  while (!(await condition())) await new Promise(setImmediate);
}
