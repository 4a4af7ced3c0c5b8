/** Where this user's broker is: `$JOBBROKER_SOCKET`, else the usual place (proto/PROTOCOL.md). */
export function defaultSocketPath(): string {
  const { JOBBROKER_SOCKET: socket, XDG_RUNTIME_DIR: runtime } = process.env;
  if (socket) return socket;
  const uid = process.getuid?.() ?? 0;
  if (uid === 0) return "/run/jobbroker/jobbroker.sock";
  return runtime?.startsWith("/") ? `${runtime}/jobbroker/jobbroker.sock` : `/tmp/jobbroker-${uid}/jobbroker.sock`;
}
