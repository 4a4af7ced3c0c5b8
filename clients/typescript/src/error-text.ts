/** Bytes of a job's error, at most (proto/PROTOCOL.md). */
const longest = 16_384;

/** What the protocol takes as an error's text: no NUL, and cut at the end of a character. */
export function errorText(error: unknown): string {
  const text = describe(error).replaceAll("\0", " ");
  if (Buffer.byteLength(text) <= longest) return text;
  const bytes = Buffer.from(text, "utf8");
  let end = longest;
  // A byte 10xxxxxx goes on with a character that began before.
  while (((bytes[end] as number) & 0xc0) === 0x80) end -= 1;
  return bytes.toString("utf8", 0, end);
}

function describe(error: unknown): string {
  try {
    if (error instanceof Error) return String(error.message || error.name);
    return String(error);
  } catch {
    return "an error that has no text";
  }
}
