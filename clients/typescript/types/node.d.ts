// What this package uses of Node 18, so that it builds without @types/node: Debian has those only within its own
// nodejs package, and no registry may be needed. test.sh checks the sources against @types/node too where it is
// installed.

declare class Timeout {
  unref(): this;
}
declare function setTimeout(action: () => void, milliseconds?: number): Timeout;
declare function clearTimeout(timer: Timeout | undefined): void;

declare const performance: { now(): number };

declare class AbortSignal {
  static timeout(milliseconds: number): AbortSignal;
  readonly aborted: boolean;
  readonly reason: any;
  addEventListener(type: "abort", listener: () => void, options?: { once?: boolean }): void;
  removeEventListener(type: "abort", listener: () => void): void;
}
declare class AbortController {
  readonly signal: AbortSignal;
  abort(reason?: unknown): void;
}
declare class TextDecoder {
  constructor(encoding: "utf-8", options: { fatal: boolean });
  decode(bytes: Uint8Array): string;
}

declare class Buffer extends Uint8Array {
  static alloc(size: number): Buffer;
  static allocUnsafe(size: number): Buffer;
  static byteLength(text: string): number;
  static concat(parts: readonly Uint8Array[]): Buffer;
  static from(bytes: Uint8Array): Buffer;
  static from(text: string, encoding: "hex" | "utf8"): Buffer;
  copy(target: Uint8Array, targetStart?: number, start?: number, end?: number): number;
  readDoubleLE(offset: number): number;
  readUInt32BE(offset: number): number;
  subarray(start?: number, end?: number): Buffer;
  toString(encoding?: "hex" | "utf8", start?: number, end?: number): string;
  write(text: string, offset: number): number;
  writeDoubleLE(value: number, offset: number): number;
  writeUIntBE(value: number, offset: number, byteLength: number): number;
  writeUInt32BE(value: number, offset: number): number;
}

type Signal = "SIGTERM" | "SIGINT" | "SIGHUP";
declare const process: {
  readonly argv: string[];
  readonly env: Record<string, string | undefined>;
  readonly pid: number;
  getuid?(): number;
  nextTick(action: () => void): void;
  on(signal: Signal, listener: () => void): unknown;
  removeListener(signal: Signal, listener: () => void): unknown;
};

declare module "node:crypto" {
  function randomFillSync<T extends Uint8Array>(bytes: T): T;
}
declare module "node:events" {
  function setMaxListeners(count: number, target: AbortSignal): void;
}
declare module "node:fs" {
  export function lstatSync(path: string): { uid: number };
}
declare module "node:path" {
  function basename(path: string): string;
}
declare module "node:net" {
  class Socket {
    destroy(): this;
    destroySoon(): void;
    write(bytes: Uint8Array): boolean;
    on(event: "connect" | "end" | "close", listener: () => void): this;
    on(event: "error", listener: (error: Error) => void): this;
    once(event: "close", listener: () => void): this;
    readonly destroyed: boolean;
  }
  function connect(options: {
    path: string;
    onread: { buffer: Buffer; callback: (count: number) => boolean };
  }): Socket;
}
