// Reads and writes the messages of the schema as plain objects with the schema's field names. A job's id is bytes,
// an enum's value its name (a number where this version knows no name), and what is absent is absent.
import { JobBrokerError } from "../errors.js";
import { Reader, WireFault, WireType } from "./reader.js";
import { enums, messages } from "./schema.js";
import type { FieldSchema, Request, Response } from "./schema.js";
import { Writer } from "./writer.js";

type Message = Record<string, unknown>;

/** A field of the schema, with what reading and writing it needs at hand. */
interface Field extends FieldSchema {
  wireType: number;
  message?: MessageType;
  values?: Record<string, number>;
  names?: Map<number, string>;
}

interface MessageType {
  byNumber: (Field | undefined)[];
  byName: Record<string, Field>;
}

const types = compile();
const request = types["Request"] as MessageType;
const response = types["Response"] as MessageType;

function compile(): Record<string, MessageType> {
  const compiled: Record<string, MessageType> = {};
  for (const name of Object.keys(messages)) compiled[name] = { byNumber: [], byName: Object.create(null) };
  for (const [name, fields] of Object.entries(messages)) {
    const type = compiled[name] as MessageType;
    for (const schema of fields) {
      const values = schema.kind === "enum" ? enums[schema.type as string] : undefined;
      const field: Field = {
        ...schema,
        wireType: wireTypeOf(schema.kind),
        message: schema.kind === "message" ? compiled[schema.type as string] : undefined,
        values,
        names: values && new Map(Object.entries(values).map(([key, value]) => [value, key])),
      };
      type.byNumber[field.number] = field;
      type.byName[field.name] = field;
    }
  }
  return compiled;
}

function wireTypeOf(kind: FieldSchema["kind"]): number {
  switch (kind) {
    case "string": case "bytes": case "message": return WireType.bytes;
    case "double": return WireType.fixed64;
    default: return WireType.varint;
  }
}

// ------------------------------------------------------------------------------------------------- reading

/** A reply that can't be read, as the answer to the request `id`; 0 when that can't be read either. */
export class UnreadableReply extends Error {
  /** @param isFatal whether what follows on the connection can't be trusted either. */
  constructor(readonly id: number, readonly error: JobBrokerError, readonly isFatal: boolean) {
    super(error.message);
  }
}

/**
 * Reads the body of a frame from the broker.
 *
 * @throws UnreadableReply
 */
export function decodeResponse(body: Buffer): Response & { id: number } {
  const message: Message = {};
  const unreadable = (code: "INTERNAL" | "UNSUPPORTED", what: string, isFatal = false): UnreadableReply =>
    new UnreadableReply(
      requestId(message), new JobBrokerError(code, `the broker's reply can't be read: ${what}`), isFatal);
  let unknown: number | undefined;
  try {
    unknown = read(new Reader(body, 0, body.length), response, message);
  } catch (error) {
    if (!(error instanceof WireFault)) throw error;
    throw unreadable("INTERNAL", `${error.path || "the response"} ${error.reason}`, error.isMalformed);
  }
  for (const name in message) {
    if (name === "id") continue;
    return Object.assign(message as Response, { id: requestId(message) });
  }
  throw unknown === undefined
    ? unreadable("INTERNAL", "the response has no reply")
    : unreadable("UNSUPPORTED", `this version does not know the reply with field number ${unknown}`);
}

/** Reads the body of a frame to the broker. For tests: a client gets none. */
export function decodeRequest(body: Buffer): Request {
  const message: Message = {};
  read(new Reader(body, 0, body.length), request, message);
  return message as Request;
}

/** An id that no client ever used answers nothing, so it may be as wrong as 0. */
function requestId(message: Message): number {
  return typeof message["id"] === "number" ? message["id"] : 0;
}

/** Fills `message`, as far as it comes; returns the number of the first field that the schema does not have. */
function read(reader: Reader, type: MessageType, message: Message): number | undefined {
  let unknown: number | undefined;
  /** The member of its oneof (no message has two) that came last, which is the one that counts. */
  let chosen: Field | undefined;
  while (!reader.isAtEnd) {
    const tag = reader.tag();
    const number = tag >>> 3;
    const wireType = tag & 7;
    const field = type.byNumber[number];
    if (field === undefined) {
      reader.skip(wireType);
      unknown ??= number;
      continue;
    }
    const list = field.repeated ? ((message[field.name] ??= []) as unknown[]) : undefined;
    try {
      if (wireType !== field.wireType) {
        // What it holds instead must be sound too, or nothing is.
        reader.skip(wireType);
        throw new WireFault(`has protobuf wire type ${wireType}, not ${field.wireType}`, false);
      }
      const value = readValue(reader, field);
      if (list) {
        list.push(value);
      } else {
        if (field.oneof) {
          if (chosen && chosen !== field) delete message[chosen.name];
          chosen = field;
        }
        message[field.name] = value;
      }
    } catch (error) {
      if (!(error instanceof WireFault)) throw error;
      throw error.within(list ? `${field.name}[${list.length}]` : field.name);
    }
  }
  return unknown;
}

function readValue(reader: Reader, field: Field): unknown {
  switch (field.kind) {
    case "uint32": return reader.uint32();
    case "sint32": {
      const value = reader.uint32();
      return (value >>> 1) ^ -(value & 1);
    }
    case "uint64": return reader.uint64();
    case "int64": return reader.int64();
    case "double": return reader.double();
    case "bool": return reader.uint64() !== 0;
    case "string": return reader.text();
    case "bytes": return reader.data();
    case "enum": {
      const value = reader.uint32() | 0;
      return field.names?.get(value) ?? value;
    }
    case "message": {
      const message: Message = {};
      read(reader.nested(), field.message as MessageType, message);
      return message;
    }
  }
}

// ------------------------------------------------------------------------------------------------- writing

/** Bytes of a frame after its length prefix. */
export const maximumFrame = 1 << 20;
const prefixLength = 4;
const writer = new Writer();

/**
 * The whole frame of a request, its length included.
 *
 * @throws JobBrokerError INVALID_ARGUMENT for a value that its field can't hold, and for too large a request.
 */
export function encodeRequest(message: Request): Buffer {
  return encode(request, message as Message);
}

/** The whole frame of a response. For tests: a client sends none. */
export function encodeResponse(message: Response): Buffer {
  return encode(response, message as Message);
}

function encode(type: MessageType, message: Message): Buffer {
  writer.begin();
  writer.skip(prefixLength);
  try {
    write(type, message);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    throw new JobBrokerError("INVALID_ARGUMENT", error.message);
  }
  const length = writer.size - prefixLength;
  if (length > maximumFrame) {
    throw new JobBrokerError(
      "INVALID_ARGUMENT", `the request takes ${length} bytes; a frame holds at most ${maximumFrame}. Send less at once`);
  }
  writer.patchUInt32(length, 0);
  return writer.finish();
}

/** A value that its field can't hold. */
class Refusal extends Error {
  /** The field, as in `create.jobs[0].priority`. */
  private path = "";

  constructor(private readonly value: unknown, private readonly wanted: string) {
    super();
  }

  /** The same refusal, seen from the message that has the field in its field `name`. */
  within(name: string): this {
    this.path = this.path === "" ? name : `${name}.${this.path}`;
    const shown = typeof this.value === "string" ? `"${this.value}"` : String(this.value);
    this.message = `${this.path} is ${shown}; it must be ${this.wanted}`;
    return this;
  }
}

function write(type: MessageType, message: Message): void {
  for (const name in message) {
    const value = message[name];
    if (value === undefined) continue;
    const field = type.byName[name];
    if (field === undefined) throw new TypeError(`the protocol has no field ${name}`);
    let index: number | undefined;
    try {
      if (!field.repeated) {
        writeField(field, value);
      } else if (Array.isArray(value)) {
        for (index = 0; index < value.length; index += 1) writeField(field, value[index]);
      } else {
        throw new Refusal(value, "a list");
      }
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      throw error.within(index === undefined ? name : `${name}[${index}]`);
    }
  }
}

function writeField(field: Field, value: unknown): void {
  writer.tag(field.number, field.wireType);
  switch (field.kind) {
    case "uint32": return writer.uint32(integer(value, 0, 0xffff_ffff));
    case "sint32": {
      const number = integer(value, -0x8000_0000, 0x7fff_ffff);
      return writer.uint32(((number << 1) ^ (number >> 31)) >>> 0);
    }
    case "uint64": return writer.int64(wideInteger(value, 0n, largestUInt64));
    case "int64": return writer.int64(wideInteger(value, smallestInt64, largestInt64));
    case "double":
      if (typeof value !== "number") throw new Refusal(value, "a number");
      return writer.double(value);
    case "bool":
      if (typeof value !== "boolean") throw new Refusal(value, "true or false");
      return writer.uint32(value ? 1 : 0);
    case "string":
      if (typeof value !== "string") throw new Refusal(value, "a text");
      return writer.text(value);
    case "bytes": return writer.data(value as Uint8Array);
    case "enum": return writer.int64(typeof value === "number" ? value : enumNumber(field, value));
    case "message": {
      const start = writer.beginNested();
      write(field.message as MessageType, value as Message);
      return writer.endNested(start);
    }
  }
}

function integer(value: unknown, minimum: number, maximum: number): number {
  if (Number.isInteger(value) && (value as number) >= minimum && (value as number) <= maximum) return value as number;
  throw new Refusal(value, `a whole number, ${minimum} to ${maximum}`);
}

const largestUInt64 = (1n << 64n) - 1n;
const largestInt64 = (1n << 63n) - 1n;
const smallestInt64 = -(1n << 63n);

function wideInteger(value: unknown, minimum: bigint, maximum: bigint): number | bigint {
  if (typeof value === "bigint" ? value >= minimum && value <= maximum
    : Number.isSafeInteger(value) && (value as number) >= minimum) {
    return value as number | bigint;
  }
  throw new Refusal(value, `a whole number, ${minimum} to ${maximum}`);
}

function enumNumber(field: Field, name: unknown): number {
  const known = field.values as Record<string, number>;
  if (Object.hasOwn(known, name as string)) return known[name as string] as number;
  throw new Refusal(name, `one of ${Object.keys(known).join(", ")}`);
}
