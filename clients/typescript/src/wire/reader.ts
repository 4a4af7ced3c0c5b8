import type { Integer } from "./schema.js";

/** Why a message can't be read. */
export class WireFault extends Error {
  override readonly name = "WireFault";
  /** The field, as in `job.history[0].cause`; empty for the message as a whole. */
  path = "";

  /** @param isMalformed whether the bytes are no protobuf at all, so that nothing after them can be trusted. */
  constructor(readonly reason: string, readonly isMalformed: boolean) {
    super(reason);
  }

  /** The same fault, seen from the message that has the faulty one in its field `name`. */
  within(name: string): this {
    this.path = this.path === "" ? name : `${name}.${this.path}`;
    this.message = `${this.path} ${this.reason}`;
    return this;
  }
}

const strictUTF8 = new TextDecoder("utf-8", { fatal: true });

function malformed(): WireFault {
  return new WireFault("is not a protobuf message", true);
}

/** Reads protobuf's wire format from part of a buffer. */
export class Reader {
  constructor(private readonly bytes: Buffer, private offset: number, private readonly end: number) {}

  get isAtEnd(): boolean {
    return this.offset >= this.end;
  }

  private byte(): number {
    const byte = this.offset < this.end ? this.bytes[this.offset++] : undefined;
    if (byte === undefined) throw malformed();
    return byte;
  }

  /** A varint's lowest 32 bits, for what has no more. */
  uint32(): number {
    const byte = this.byte();
    return byte < 0x80 ? byte : this.longVarint(byte).low >>> 0;
  }

  /** An unsigned 64-bit varint. */
  uint64(): Integer {
    const byte = this.byte();
    if (byte < 0x80) return byte;
    const { low, high } = this.longVarint(byte);
    if (high >>> 0 < 0x20_0000) return (high >>> 0) * 2 ** 32 + (low >>> 0);
    return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
  }

  /** A signed 64-bit varint. */
  int64(): Integer {
    const value = this.uint64();
    return typeof value === "number" ? value : exact(BigInt.asIntN(64, value));
  }

  private longVarint(first: number): { low: number; high: number } {
    let low = first & 0x7f;
    let high = 0;
    for (let shift = 7; shift < 70; shift += 7) {
      const byte = this.byte();
      const bits = byte & 0x7f;
      if (shift < 32) low |= bits << shift;
      if (shift === 28) high = bits >>> 4;
      else if (shift > 28) high |= bits << (shift - 32);
      if (byte < 0x80) return { low, high };
    }
    throw malformed();
  }

  double(): number {
    return this.bytes.readDoubleLE(this.take(8));
  }

  /** A length, and where what it counts begins; moves past both. */
  private delimited(): { start: number; end: number } {
    const length = this.uint64();
    if (typeof length !== "number") throw malformed();
    const start = this.take(length);
    return { start, end: this.offset };
  }

  private take(length: number): number {
    const start = this.offset;
    if (length > this.end - start) throw malformed();
    this.offset = start + length;
    return start;
  }

  /** A length-delimited field as a reader of its own. */
  nested(): Reader {
    const { start, end } = this.delimited();
    return new Reader(this.bytes, start, end);
  }

  /** A copy: the frame's buffer is not kept alive by it. */
  data(): Buffer {
    const { start, end } = this.delimited();
    return Buffer.from(this.bytes.subarray(start, end));
  }

  text(): string {
    const { start, end } = this.delimited();
    const text = this.bytes.toString("utf8", start, end);
    // What is not UTF-8 was replaced by U+FFFD, which is also a character in its own right.
    if (text.includes("\ufffd")) {
      try {
        strictUTF8.decode(this.bytes.subarray(start, end));
      } catch {
        throw new WireFault("is not valid UTF-8", false);
      }
    }
    if (text.includes("\0")) throw new WireFault("contains a NUL character, which is not allowed", false);
    return text;
  }

  /** A field's number and wire type. */
  tag(): { number: number; wireType: number } {
    const tag = this.uint32();
    if (tag < 8) throw malformed();
    return { number: tag >>> 3, wireType: tag & 7 };
  }

  skip(wireType: number): void {
    switch (wireType) {
      case WireType.varint: this.uint64(); break;
      case WireType.fixed64: this.take(8); break;
      case WireType.bytes: this.delimited(); break;
      case WireType.fixed32: this.take(4); break;
      default: throw malformed();
    }
  }
}

export const WireType = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** A number where that is exact, else the bigint. */
export function exact(value: bigint): Integer {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
