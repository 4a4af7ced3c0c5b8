import type { Integer } from "./schema.js";

/** Puts together protobuf's wire format in a buffer that grows and is used again. */
export class Writer {
  private bytes = Buffer.allocUnsafe(1024);
  private length = 0;

  reset(): void {
    this.length = 0;
  }

  /** A copy of what was written. */
  finish(): Buffer {
    const written = Buffer.from(this.bytes.subarray(0, this.length));
    // One large request must not hold its memory for ever.
    if (this.bytes.length > 1 << 16) this.bytes = Buffer.allocUnsafe(1024);
    return written;
  }

  get size(): number {
    return this.length;
  }

  /** Leaves room for `count` bytes, to be filled by `patchUInt32`. */
  skip(count: number): void {
    this.reserve(count);
    this.length += count;
  }

  patchUInt32(value: number, offset: number): void {
    this.bytes.writeUInt32BE(value, offset);
  }

  tag(number: number, wireType: number): void {
    this.uint32(((number << 3) | wireType) >>> 0);
  }

  uint32(value: number): void {
    this.reserve(5);
    let rest = value;
    while (rest > 0x7f) {
      this.bytes[this.length++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.bytes[this.length++] = rest;
  }

  /** A 64-bit integer, a negative one in two's complement. */
  int64(value: Integer): void {
    if (typeof value === "number" && value >= 0 && value <= 0xffff_ffff) return this.uint32(value);
    this.reserve(10);
    let rest = BigInt.asUintN(64, BigInt(value));
    while (rest > 0x7fn) {
      this.bytes[this.length++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.bytes[this.length++] = Number(rest);
  }

  double(value: number): void {
    this.reserve(8);
    this.length = this.bytes.writeDoubleLE(value, this.length);
  }

  data(value: Uint8Array): void {
    this.uint32(value.length);
    this.reserve(value.length);
    this.bytes.set(value, this.length);
    this.length += value.length;
  }

  text(value: string): void {
    const size = Buffer.byteLength(value);
    this.uint32(size);
    this.reserve(size);
    this.length += this.bytes.write(value, this.length);
  }

  /** What `write` writes, preceded by its length. */
  nested(write: () => void): void {
    const prefix = this.length;
    // Most messages are short: leave one byte for the length, and make more room if that was not enough.
    this.skip(1);
    write();
    const size = this.length - prefix - 1;
    const wider = varintSize(size) - 1;
    if (wider > 0) {
      this.reserve(wider);
      this.bytes.copyWithin(prefix + 1 + wider, prefix + 1, this.length);
    }
    this.length = prefix;
    this.uint32(size);
    this.length += size;
  }

  private reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, 2 * this.bytes.length));
    this.bytes.copy(larger, 0, 0, this.length);
    this.bytes = larger;
  }
}

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest > 0x7f; rest >>>= 7) size += 1;
  return size;
}
