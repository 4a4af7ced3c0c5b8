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
  /** The other members of its oneof. */
  rivals: string[];
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
        rivals: fields.filter((f) => f.oneof && f.oneof === schema.oneof && f !== schema).map((f) => f.name),
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
    if (name !== "id") return { ...(message as Response), id: requestId(message) };
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
        for (const rival of field.rivals) if (rival in message) delete message[rival];
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
  writer.reset();
  writer.skip(prefixLength);
  write(type, message, "");
  const length = writer.size - prefixLength;
  if (length > maximumFrame) {
    throw new JobBrokerError(
      "INVALID_ARGUMENT", `the request takes ${length} bytes; a frame holds at most ${maximumFrame}. Send less at once`);
  }
  writer.patchUInt32(length, 0);
  return writer.finish();
}

function write(type: MessageType, message: Message, path: string): void {
  for (const name in message) {
    const value = message[name];
    if (value === undefined) continue;
    const field = type.byName[name];
    if (field === undefined) throw new TypeError(`the protocol has no field ${path}${name}`);
    if (field.repeated) {
      (value as unknown[]).forEach((element, index) => writeField(field, element, path, index));
    } else {
      writeField(field, value, path);
    }
  }
}

function writeField(field: Field, value: unknown, path: string, index?: number): void {
  writer.tag(field.number, field.wireType);
  switch (field.kind) {
    case "uint32": return writer.uint32(integer(value, 0, 0xffff_ffff));
    case "sint32": {
      const number = integer(value, -0x8000_0000, 0x7fff_ffff);
      return writer.uint32(((number << 1) ^ (number >> 31)) >>> 0);
    }
    case "uint64": return writer.int64(wideInteger(value, 0n, (1n << 64n) - 1n));
    case "int64": return writer.int64(wideInteger(value, -(1n << 63n), (1n << 63n) - 1n));
    case "double": return typeof value === "number" ? writer.double(value) : refuse("a number");
    case "bool": return typeof value === "boolean" ? writer.uint32(value ? 1 : 0) : refuse("true or false");
    case "string": return typeof value === "string" ? writer.text(value) : refuse("a text");
    case "bytes": return writer.data(value as Uint8Array);
    case "enum": return writer.int64(typeof value === "number" ? value : enumNumber(value));
    case "message":
      return writer.nested(() => write(field.message as MessageType, value as Message, `${label()}.`));
  }

  // Written out only when it is needed: for a message within, or to name what is wrong.
  function label(): string {
    return path + field.name + (index === undefined ? "" : `[${index}]`);
  }

  function refuse(wanted: string): never {
    const shown = typeof value === "string" ? `"${value}"` : String(value);
    throw new JobBrokerError("INVALID_ARGUMENT", `${label()} is ${shown}; it must be ${wanted}`);
  }

  function integer(candidate: unknown, minimum: number, maximum: number): number {
    if (Number.isInteger(candidate)) {
      const number = candidate as number;
      if (number >= minimum && number <= maximum) return number;
    }
    return refuse(`a whole number, ${minimum} to ${maximum}`);
  }

  function wideInteger(candidate: unknown, minimum: bigint, maximum: bigint): number | bigint {
    if (typeof candidate === "bigint" ? candidate >= minimum && candidate <= maximum
      : Number.isSafeInteger(candidate) && (candidate as number) >= minimum) {
      return candidate as number | bigint;
    }
    return refuse(`a whole number, ${minimum} to ${maximum}`);
  }

  function enumNumber(name: unknown): number {
    const known = field.values as Record<string, number>;
    return Object.hasOwn(known, name as string)
      ? (known[name as string] as number) : refuse(`one of ${Object.keys(known).join(", ")}`);
  }
}
