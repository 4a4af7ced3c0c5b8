// A socket between clients and the broker that can lose what the broker says.
import { connect, createServer } from "node:net";
import { once } from "node:events";

export class Proxy {
  #pairs = new Set();
  #isDeaf = false;
  #server;

  static async start(test, broker) {
    const proxy = new Proxy();
    proxy.socketPath = `${broker.socketPath}-proxy`;
    proxy.#server = createServer((client) => proxy.#join(client, connect({ path: broker.socketPath })));
    proxy.#server.listen(proxy.socketPath);
    await once(proxy.#server, "listening");
    test.after(() => {
      proxy.cut();
      proxy.#server.close();
    });
    return proxy;
  }

  #join(client, broker) {
    const pair = [client, broker];
    this.#pairs.add(pair);
    client.on("data", (bytes) => broker.write(bytes));
    broker.on("data", (bytes) => this.#isDeaf || client.write(bytes));
    for (const socket of pair) {
      socket.on("error", () => {});
      socket.on("close", () => {
        for (const other of pair) other.destroy();
        this.#pairs.delete(pair);
      });
    }
  }

  /** From now on replies are lost. */
  loseReplies() {
    this.#isDeaf = true;
  }

  /** Cuts all connections; later ones work again. */
  cut() {
    this.#isDeaf = false;
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
  }
}
