import { lstatSync } from "node:fs";
import { JobBrokerError } from "./errors.js";

/** Where this user's broker is: `$JOBBROKER_SOCKET`, else the usual place (proto/PROTOCOL.md). */
export function defaultSocketPath(): string {
  const { JOBBROKER_SOCKET: socket, XDG_RUNTIME_DIR: runtime } = process.env;
  if (socket) return socket;
  const uid = process.getuid?.() ?? 0;
  if (uid === 0) return "/run/jobbroker/jobbroker.sock";
  return runtime?.startsWith("/") ? `${runtime}/jobbroker/jobbroker.sock` : `/tmp/jobbroker-${uid}/jobbroker.sock`;
}

/**
 * @internal Why a user must not connect to a socket: it is in his directory in `/tmp`, where anybody may take a name
 * that can be guessed, and that is somebody else's.
 *
 * @throws an error of the system if that directory is not there: who makes it next is not known.
 */
export function objection(socketPath: string, uid: number): JobBrokerError | undefined {
  const directory = `/tmp/jobbroker-${uid}`;
  if (!socketPath.startsWith(`${directory}/`)) return undefined;
  const owner = lstatSync(directory).uid;
  if (owner === uid) return undefined;
  return new JobBrokerError(
    "PERMISSION_DENIED", `${directory} belongs to another user (uid ${owner}), so no broker of yours answers there; `
      + "remove it, or set JOBBROKER_SOCKET");
}
