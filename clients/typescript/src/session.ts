import { backoffDelay } from "./backoff.js";
import { ClaimKeeper } from "./claim-keeper.js";
import { Connection } from "./connection.js";
import type { NodeError } from "./connection.js";
import { JobBrokerError } from "./errors.js";
import type { Job, Welcome } from "./job.js";
import { Line } from "./line.js";
import type { Settings } from "./options.js";
import { PendingRequest } from "./pending.js";
import type { Treatment } from "./pending.js";
import type { Reply } from "./replies.js";
import { wireId } from "./requests.js";
import type { Operation } from "./requests.js";
import { readResponse } from "./response.js";
import { objection } from "./socket-path.js";
import { longestTimer } from "./time.js";
import type { Timer } from "./time.js";
import { WatchTable } from "./watch-table.js";
import { UnreadableReply, encodeRequest } from "./wire/codec.js";

const protocolVersion = 1;
const helloId = 1;
/** How long the broker may take to answer a hello when requests have no time limit. */
const patienceMs = 30_000;
const triesAtBusyBroker = 10;
/** Bytes of a Unix socket's path, without the NUL that ends it (unix(7)). */
const longestPath = 107;

/** The requests of one client, and the connection that carries them. */
export class Session {
  /** Why every further call will fail; undefined while the client is of use. */
  ending: JobBrokerError | undefined;
  /** What the broker said when it was last connected to. */
  welcome: Welcome | undefined;
  readonly keeper = new ClaimKeeper(this);
  readonly watches = new WatchTable(this);

  private connection: Connection | undefined;
  /** Whether the broker answered the hello on this connection. */
  private isReady = false;
  /** Ends `open`; undefined once it has returned. */
  private opened: ((error?: JobBrokerError) => void) | undefined;
  /** Failures in a row, for the backoff. */
  private failures = 0;
  /** Why the broker is about to end the connection, when it said so. */
  private parting: JobBrokerError | undefined;
  private redial: Timer | undefined;
  private greetingTimer: Timer | undefined;

  private lastId = helloId;
  private readonly pending = new Map<number, PendingRequest>();
  private readonly line = new Line();
  private readonly parked = new Set<Timer>();
  private expiryTimer: Timer | undefined;
  /** When the timer is due; Infinity: it is not set. */
  private nextExpiry = Infinity;

  constructor(readonly settings: Settings) {}

  newId(): number {
    this.lastId += 1;
    return this.lastId;
  }

  // ----------------------------------------------------------------------------------------------- requests

  /** Sends a request as soon as there is a connection and a place for it, and waits for its reply. */
  call(operation: Operation, treatment: Treatment = {}): Promise<Reply> {
    return new Promise((resolve, reject) => {
      if (treatment.signal?.aborted) throw treatment.signal.reason;
      if (this.ending) throw this.ending;
      const { requestTimeoutMs } = this.settings;
      const request = new PendingRequest(this.newId(), operation, treatment, requestTimeoutMs, resolve, reject);
      if (treatment.signal || treatment.waitsUntil) {
        request.watchCaller((reason) => this.abandon(request, reason), () => this.endWait(request));
      }
      this.pending.set(request.id, request);
      this.line.add(request, treatment.first);
      this.sendLine();
      this.scheduleExpiry(request.expiry);
    });
  }

  /** One timer serves all requests: it is set for the first of them that can expire. */
  private scheduleExpiry(expiry: number): void {
    if (expiry >= this.nextExpiry) return;
    this.nextExpiry = expiry;
    clearTimeout(this.expiryTimer);
    const delay = Math.min(Math.ceil(expiry - performance.now()), longestTimer);
    this.expiryTimer = setTimeout(() => this.expire(), delay);
  }

  /** Ends the requests that have waited too long. */
  private expire(): void {
    this.nextExpiry = Infinity;
    const now = performance.now();
    let next = Infinity;
    for (const request of this.pending.values()) {
      if (request.isAbandoned) continue;
      if (request.expiry > now) next = Math.min(next, request.expiry);
      else this.abandon(request, request.interruption(`no reply within ${request.patienceMs} ms`));
    }
    this.scheduleExpiry(next);
  }

  /** The caller of a request has gone, or has waited too long. */
  private abandon(request: PendingRequest, reason: unknown): void {
    if (request.isAbandoned) return;
    if (request.stage === "sent") {
      request.isAbandoned = true;
      if (request.mayWait) this.withdraw(request);
    } else {
      this.forget(request);
    }
    request.fail(reason);
  }

  /** A claim is to wait no longer; it is answered with what it has found, mostly nothing. */
  private endWait(request: PendingRequest): void {
    request.isRepeated = false;
    if (request.stage === "sent") {
      // The withdrawal expires together with it, and sets the timer.
      request.expiry = performance.now() + this.settings.requestTimeoutMs;
      this.withdraw(request);
    } else {
      this.forget(request);
      request.finish({ kind: "claimed", jobs: [] });
    }
  }

  private withdraw(request: PendingRequest): void {
    this.post({ withdraw: { claim_id: request.id } }, { first: true, repeated: false });
  }

  private forget(request: PendingRequest): void {
    this.pending.delete(request.id);
    this.line.forget(request);
  }

  /** Sends what is in line, as far as the broker's limit on requests in flight allows. */
  private sendLine(): void {
    while (this.isReady) {
      const frame = this.line.next();
      if (frame === undefined) return;
      this.connection?.write(frame);
    }
  }

  /** Whether what is sent now leaves at once. */
  get isConnected(): boolean {
    return this.isReady && this.ending === undefined;
  }

  /** Sends what stands outside of the limit on requests in flight, if there is a connection. */
  transmit(id: number, operation: Operation): void {
    const frame = encodeRequest({ id, ...operation });
    if (this.isConnected) this.connection?.write(frame);
  }

  /** Something that must not fail and whose reply nobody waits for. */
  post(operation: Operation, treatment: Treatment): void {
    this.call(operation, treatment).catch((error: unknown) => this.settings.logger.debug(`jobbroker: ${String(error)}`));
  }

  // ------------------------------------------------------------------------------------------------ replies

  private receive(body: Buffer): void {
    let id: number;
    let reply: Reply;
    try {
      ({ id, reply } = readResponse(body));
    } catch (error) {
      if (!(error instanceof UnreadableReply)) throw error;
      if (error.isFatal || error.id === 0) return this.violated(error.message);
      id = error.id;
      reply = { kind: "error", error: error.error };
    }
    if (!this.isReady) return this.greeted(id, reply);
    const request = this.pending.get(id);
    if (request === undefined) return this.receiveUnasked(id, reply);
    if (request.stage !== "sent") return this.violated(`it answers request ${id} before it was sent`);
    this.line.answered(request);
    if (this.mustWaitOn(request, reply)) {
      this.park(request);
    } else {
      if (reply.kind !== "error") this.failures = 0;
      this.pending.delete(id);
      if (request.isAbandoned && reply.kind === "claimed") this.giveBack(reply.jobs);
      else request.finish(reply);
    }
    this.sendLine();
  }

  /** Whether a draining broker refused a claim whose caller still waits. */
  private mustWaitOn(request: PendingRequest, reply: Reply): boolean {
    return reply.kind === "error" && reply.error.code === "UNAVAILABLE" && request.operation.claim !== undefined
      && this.settings.reconnects && request.isRepeated && !request.isAbandoned;
  }

  private park(request: PendingRequest): void {
    request.stage = "parked";
    this.failures += 1;
    const timer = setTimeout(() => {
      this.parked.delete(timer);
      if (request.stage !== "parked" || !this.pending.has(request.id)) return;
      this.line.add(request);
      this.sendLine();
    }, backoffDelay(this.settings.backoff, this.failures));
    this.parked.add(timer);
  }

  /** What answers no pending request: watches, notices, and what should not be. */
  private receiveUnasked(id: number, reply: Reply): void {
    if (this.watches.receive(id, reply)) return;
    if (reply.kind === "revoked") return this.keeper.revoke(reply.revocation);
    if (reply.kind === "error" && id === 0) this.parting = reply.error;
    else this.violated(`it answers request ${id}, which nobody made`);
  }

  /** Jobs came for a claim whose caller has gone. */
  private giveBack(jobs: Job[]): void {
    for (const job of jobs) this.post({ release: { id: wireId(job.id), attempt: job.attempt } }, {});
  }

  // ------------------------------------------------------------------------------------------ the connection

  /** Connects; resolves when the broker said welcome. */
  open(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.opened = (error) => (error ? reject(error) : resolve());
      const path = this.settings.socketPath;
      if (Buffer.byteLength(path) > longestPath) {
        void this.close(new JobBrokerError("INVALID_ARGUMENT", `the socket's path is too long for a socket: ${path}`));
      } else {
        this.dial();
      }
    });
  }

  private dial(): void {
    if (this.ending) return;
    try {
      const refusal = objection(this.settings.socketPath, process.getuid?.() ?? 0);
      if (refusal) return void this.close(refusal);
    } catch (error) {
      return this.notConnected(this.noBroker((error as NodeError).code ?? String(error)));
    }
    this.isReady = false;
    this.parting = undefined;
    this.connection = new Connection(this.settings.socketPath, {
      opened: () => this.greet(),
      received: (body) => this.receive(body),
      violated: (what) => this.violated(what),
      lost: (error) => this.lost(error),
    });
  }

  private greet(): void {
    const { clientName, workerName, readOnly, requestTimeoutMs } = this.settings;
    try {
      this.connection?.write(encodeRequest({
        id: helloId,
        hello: {
          protocol_version: protocolVersion, client: clientName, worker_name: workerName, read_only: readOnly,
        },
      }));
    } catch (error) {
      return void this.close(error as JobBrokerError);
    }
    this.greetingTimer = setTimeout(
      () => this.disconnected("the broker did not answer the hello"), Math.min(requestTimeoutMs, patienceMs));
  }

  /** The first answer of a connection. */
  private greeted(id: number, reply: Reply): void {
    clearTimeout(this.greetingTimer);
    if (reply.kind === "error") {
      const { error } = reply;
      if (error.code !== "UNAVAILABLE" && error.code !== "RESOURCE_EXHAUSTED") return void this.close(error);
      this.parting = error;
      return this.disconnected(error.message);
    }
    if (reply.kind !== "welcome" || id !== helloId) return this.violated("it does not answer the hello");
    const { welcome, maxInFlight } = reply;
    if (welcome.protocolVersion !== protocolVersion) {
      return void this.close(new JobBrokerError(
        "UNSUPPORTED", `the broker speaks version ${welcome.protocolVersion} of the protocol, this client version `
          + `${protocolVersion}`));
    }
    this.welcome = welcome;
    this.line.places = maxInFlight;
    this.settings.logger.debug(`jobbroker: connected to ${welcome.server}`);
    this.opened?.();
    this.opened = undefined;
    // The claims come first: the broker gives away those it does not hear of within its reconnect grace. So all their
    // heartbeats are in line before anything is sent.
    this.keeper.renewAll();
    this.isReady = true;
    this.sendLine();
    this.watches.reopen();
  }

  private lost(error: NodeError | undefined): void {
    if (this.connection === undefined) return;
    const hadConnection = this.isReady;
    const what = error ? `the connection to the broker failed (${error.code ?? error.message})`
      : "the broker closed the connection";
    // EAGAIN: a broker is there, but more clients than it has room for are at its door (connect(2)).
    const isBusy = error?.code === "EAGAIN" && this.failures < triesAtBusyBroker;
    if (hadConnection) this.disconnected(what);
    else this.notConnected(this.parting ?? this.noBroker(error?.code ?? what), isBusy);
  }

  private noBroker(reason: string): JobBrokerError {
    const path = this.settings.socketPath;
    return new JobBrokerError(
      "UNAVAILABLE", `no broker answers at ${path} (${reason}); start one with: jobbrokerd --socket ${path}`);
  }

  /** The peer does not speak the protocol. What it was sent is not sent again: it would answer no better. */
  violated(what: string): void {
    if (this.connection === undefined) return;
    const reason = `the peer at ${this.settings.socketPath} is not a broker, or out of step: ${what}`;
    this.settings.logger.error(`jobbroker: ${reason}`);
    this.disconnected(reason, false);
  }

  /** Ends the connection: what was under way goes back into line, or ends. */
  private disconnected(what: string, repeats = true): void {
    const reason = this.parting && this.parting.message !== what ? `${what}: ${this.parting.message}` : what;
    if (!this.isReady) return this.notConnected(this.parting ?? this.noBroker(reason));
    this.hangUp();
    this.settings.logger.info(`jobbroker: connection lost: ${reason}`);
    if (!this.settings.reconnects) return void this.close(new JobBrokerError("UNAVAILABLE", reason));
    this.line.clear();
    for (const [id, request] of this.pending) {
      if (request.outlastsConnection || (repeats && request.isRepeated && !request.isAbandoned)) {
        if (request.stage !== "parked") this.line.add(request);
        continue;
      }
      this.pending.delete(id);
      const error = request.interruption(reason);
      request.fail(!repeats && error.code === "UNAVAILABLE" ? new JobBrokerError("INTERNAL", reason) : error);
    }
    this.watches.interrupt();
    this.notConnected(new JobBrokerError("UNAVAILABLE", reason));
  }

  private hangUp(): Promise<void> | undefined {
    const connection = this.connection;
    this.connection = undefined;
    this.isReady = false;
    clearTimeout(this.greetingTimer);
    return connection?.close();
  }

  /** Dials again after a while, or gives up when that is not wanted. */
  private notConnected(error: JobBrokerError, isBusy = false): void {
    void this.hangUp();
    const goesOn = this.opened ? this.settings.waitsForBroker : this.settings.reconnects;
    if (!goesOn && !isBusy) return void this.close(error);
    this.failures += 1;
    this.settings.logger.debug(`jobbroker: dials again, because ${error.message}`);
    this.redial = setTimeout(() => this.dial(), backoffDelay(this.settings.backoff, this.failures));
  }

  /** The end: of the connection, and of every call. */
  async close(error: JobBrokerError): Promise<void> {
    if (this.ending) return;
    this.ending = error;
    clearTimeout(this.redial);
    clearTimeout(this.expiryTimer);
    for (const timer of this.parked) clearTimeout(timer);
    this.opened?.(error);
    this.opened = undefined;
    const requests = [...this.pending.values()];
    this.pending.clear();
    for (const request of requests) {
      const interruption = request.interruption(error.message);
      request.fail(interruption.code === "UNAVAILABLE" ? error : interruption);
    }
    this.watches.end(error);
    this.keeper.end(error);
    await this.hangUp();
  }
}
