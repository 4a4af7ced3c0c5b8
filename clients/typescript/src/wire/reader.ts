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
  /** The halves of the last varint of more than a byte. */
  private low = 0;
  private high = 0;

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
    if (byte < 0x80) return byte;
    this.longVarint(byte);
    return this.low;
  }

  /** An unsigned 64-bit varint. */
  uint64(): Integer {
    const byte = this.byte();
    if (byte < 0x80) return byte;
    this.longVarint(byte);
    if (this.high < 0x20_0000) return this.high * 2 ** 32 + this.low;
    return (BigInt(this.high) << 32n) | BigInt(this.low);
  }

  /** A signed 64-bit varint. */
  int64(): Integer {
    const value = this.uint64();
    return typeof value === "number" ? value : exact(BigInt.asIntN(64, value));
  }

  /** Reads the rest of a varint into `low` and `high`. */
  private longVarint(first: number): void {
    let low = first & 0x7f;
    let high = 0;
    for (let shift = 7; shift < 70; shift += 7) {
      const byte = this.byte();
      const bits = byte & 0x7f;
      if (shift < 32) low |= bits << shift;
      if (shift === 28) high = bits >>> 4;
      else if (shift > 28) high |= bits << (shift - 32);
      if (byte < 0x80) {
        this.low = low >>> 0;
        this.high = high >>> 0;
        return;
      }
    }
    throw malformed();
  }

  double(): number {
    return this.bytes.readDoubleLE(this.take(8));
  }

  private take(length: number): number {
    const start = this.offset;
    if (length > this.end - start) throw malformed();
    this.offset = start + length;
    return start;
  }

  /** Moves past a length and what it counts, which then ends at `offset`; returns where that begins. */
  private delimited(): number {
    const length = this.uint64();
    if (typeof length !== "number") throw malformed();
    return this.take(length);
  }

  /** A length-delimited field as a reader of its own. */
  nested(): Reader {
    const start = this.delimited();
    return new Reader(this.bytes, start, this.offset);
  }

  /** Not a copy. */
  data(): Buffer {
    const start = this.delimited();
    return this.bytes.subarray(start, this.offset);
  }

  text(): string {
    const start = this.delimited();
    const text = this.bytes.toString("utf8", start, this.offset);
    // What is not UTF-8 was replaced by U+FFFD, which is also a character in its own right.
    if (text.includes("\ufffd")) {
      try {
        strictUTF8.decode(this.bytes.subarray(start, this.offset));
      } catch {
        throw new WireFault("is not valid UTF-8", false);
      }
    }
    if (text.includes("\0")) throw new WireFault("contains a NUL character, which is not allowed", false);
    return text;
  }

  /** A field's number and wire type: eight times the number, and the type. */
  tag(): number {
    const tag = this.uint32();
    if (tag < 8) throw malformed();
    return tag;
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
