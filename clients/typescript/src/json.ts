// JSON as JavaScript's own, but exact: JSON.parse rounds integers that a number can't hold, and JSON.stringify refuses
// a bigint. Here an integer beyond 2^53 − 1 is a bigint, in both directions, and a number always comes back a number.
import { randomFillSync } from "node:crypto";

/** As many digits as the smallest unsafe integer has: without such a run, JavaScript's own functions are exact. */
const longNumber = /\d{16}/;
/** Strings, so that what they hold is passed over, and numbers. */
const stringOrNumber = /"(?:[^"\\]+|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const integer = /^-?\d+$/;

/** Reads JSON. Throws a SyntaxError when the text is none. */
export function parseJson(text: string): unknown {
  const plain: unknown = JSON.parse(text);
  if (!longNumber.test(text)) return plain;
  const mark = newMark();
  const marked = text.replace(stringOrNumber, (token) =>
    integer.test(token) && !Number.isSafeInteger(Number(token)) ? `"${mark}${token}"` : token);
  return JSON.parse(marked, (_key, value: unknown) =>
    typeof value === "string" && value.startsWith(mark) ? BigInt(value.slice(mark.length)) : value);
}

/** Writes JSON; undefined for what JSON leaves out. Throws a TypeError for what it can't hold, such as a cycle. */
export function stringifyJson(value: unknown): string | undefined {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
    if (text === undefined || !longNumber.test(text)) return text;
  } catch (error) {
    // Perhaps for a bigint. Any other cause shows again below.
    if (!(error instanceof TypeError)) throw error;
  }
  const mark = newMark();
  const marked = JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part === "bigint") return `${mark}${part}`;
    // With an exponent, so that it is read as a number again, not as a bigint.
    if (Number.isInteger(part) && !Number.isSafeInteger(part)) return mark + (part as number).toExponential();
    return part;
  });
  return marked.replace(new RegExp(`"${mark}([^"]*)"`, "g"), "$1");
}

/** A text that occurs in no value, for nobody can guess it. */
function newMark(): string {
  return `#${randomFillSync(Buffer.alloc(12)).toString("hex")}:`;
}
