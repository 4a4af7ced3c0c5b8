import type { Integer } from "./schema.js";

const blockSize = 16 << 10;

/** Puts together protobuf's wire format, one message after another in blocks of memory: none is written over. */
export class Writer {
  private bytes = Buffer.allocUnsafe(blockSize);
  /** Where the message begins. */
  private start = 0;
  private length = 0;

  /** Begins a message; what was written of one that was not finished is dropped. */
  begin(): void {
    this.length = this.start;
  }

  /** What was written since `begin`. */
  finish(): Buffer {
    const written = this.bytes.subarray(this.start, this.length);
    this.start = this.length;
    return written;
  }

  get size(): number {
    return this.length - this.start;
  }

  /** Leaves room for `count` bytes, to be filled by `patchUInt32`. */
  skip(count: number): void {
    this.reserve(count);
    this.length += count;
  }

  patchUInt32(value: number, offset: number): void {
    this.bytes.writeUInt32BE(value, this.start + offset);
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

  /** What is written from here to `endNested`, which is to be given the result, is preceded by its length. */
  beginNested(): number {
    // Most messages are short: leave one byte for the length, and make more room if that was not enough.
    this.skip(1);
    return this.size;
  }

  endNested(start: number): void {
    const prefix = this.start + start - 1;
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
    if (this.length + count <= this.bytes.length) return;
    const block = Buffer.allocUnsafe(Math.max(blockSize, 2 * (this.size + count)));
    this.bytes.copy(block, 0, this.start, this.length);
    this.length -= this.start;
    this.start = 0;
    this.bytes = block;
  }
}

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest > 0x7f; rest >>>= 7) size += 1;
  return size;
}
