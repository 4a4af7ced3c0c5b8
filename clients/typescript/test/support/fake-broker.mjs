// A scripted peer, for what the real broker can't be made to do.
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeRequest, encodeResponse } from "../../dist/wire/codec.js";
import { FrameReader } from "../../dist/wire/frames.js";

export const welcome = { protocol_version: 1, server: "fake/1.0", max_frame: 1 << 20, max_in_flight: 128 };

/** From now on the client's requests have so little time. It had more for connecting, which may take a while. */
export function losePatience(client, requestTimeoutMs) {
  client.session.settings.requestTimeoutMs = requestTimeoutMs;
}

/**
 * Starts a peer that answers each request by `answer(request, peer, connectionNumber)`; by default it says welcome to
 * each hello first.
 */
export async function fakeBroker(test, answer, { greets = true } = {}) {
  const directory = mkdtempSync(join(tmpdir(), "jobbroker-fake-"));
  const socketPath = join(directory, "s");
  const sockets = new Set();
  let connections = 0;
  const server = createServer((socket) => {
    const number = (connections += 1);
    const frames = new FrameReader();
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
    const peer = {
      send: (response) => socket.write(encodeResponse(response)),
      sendBytes: (hex) => socket.write(Buffer.from(hex, "hex")),
      close: () => socket.end(),
    };
    socket.on("data", (bytes) => {
      frames.append(bytes, (body) => {
        const request = decodeRequest(body);
        if (greets && request.hello) peer.send({ id: request.id, welcome });
        else answer(request, peer, number);
      });
    });
  });
  server.listen(socketPath);
  await once(server, "listening");
  test.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
    rmSync(directory, { recursive: true, force: true });
  });
  return { socketPath, connections: () => connections, openSockets: () => sockets.size };
}
