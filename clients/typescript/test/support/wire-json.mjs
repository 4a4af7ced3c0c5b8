// Messages as the JSON of proto/vectors/README.md: bytes as hexadecimal text, doubles that are not finite as text.
import { messages } from "../../dist/wire/schema.js";

const hexOf = (bytes) => Buffer.from(bytes).toString("hex");
const special = { NaN, Infinity, "-Infinity": -Infinity };

function convert(type, message, scalar) {
  const converted = {};
  for (const [name, value] of Object.entries(message)) {
    const field = messages[type].find((candidate) => candidate.name === name);
    if (!field) throw new Error(`the protocol has no field ${type}.${name}`);
    const one = (element) =>
      field.kind === "message" ? convert(field.type, element, scalar) : scalar(field, element);
    if (field.repeated && value.length === 0) continue;
    converted[name] = field.repeated ? value.map(one) : one(value);
  }
  return converted;
}

/** What a message looks like as JSON. */
export function toJSON(type, message) {
  return convert(type, message, (field, value) => {
    if (field.kind === "bytes") return hexOf(value);
    return field.kind === "double" && !Number.isFinite(value) ? String(value) : value;
  });
}

/** The message that JSON tells of. */
export function fromJSON(type, json) {
  return convert(type, json, (field, value) => {
    if (field.kind === "bytes") return Buffer.from(value, "hex");
    return field.kind === "double" && typeof value === "string" ? special[value] : value;
  });
}
