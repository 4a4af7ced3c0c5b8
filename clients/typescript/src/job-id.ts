import { randomFillSync } from "node:crypto";

/** Randomness for many ids, each of which stays where it is. */
let pool = Buffer.alloc(0);
let used = 0;

/**
 * A new job id: a UUID of version 7 (RFC 9562), the present millisecond and 74 random bits. A create that brings its
 * id can be sent twice and is still one job.
 */
export function newJobId(): string {
  return formatJobId(newJobIdBytes());
}

/** @internal The same, as its 16 bytes. */
export function newJobIdBytes(): Buffer {
  if (used === pool.length) {
    pool = randomFillSync(Buffer.alloc(16 * 64));
    used = 0;
  }
  const bytes = pool.subarray(used, used + 16);
  used += 16;
  bytes.writeUIntBE(Date.now(), 0, 6);
  bytes[6] = 0x70 | ((bytes[6] as number) & 0x0f);
  bytes[8] = 0x80 | ((bytes[8] as number) & 0x3f);
  return bytes;
}

/** @internal The 16 bytes of a UUID's text, in either case, with or without dashes; undefined when it is none. */
export function parseJobId(text: unknown): Buffer | undefined {
  if (typeof text !== "string") return undefined;
  const digits = text.replaceAll("-", "");
  return /^[0-9a-fA-F]{32}$/.test(digits) ? Buffer.from(digits, "hex") : undefined;
}

/** @internal The usual text of a UUID, in lower case. */
export function formatJobId(bytes: Buffer): string {
  const hex = bytes.toString("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
